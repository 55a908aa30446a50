//! Emergency numbers are handed out once in their lives.

use super::Hospital;
use crate::support::workplace::DB;

#[test]
fn emergency_numbers_go_on_after_the_highest_that_anything_has_seen() {
    let mut h = Hospital::small(10);
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g1"), "5000000", "exactly the first of the block");
    assert_eq!(h.next("his_g1"), "5000001");
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g2"), "5000002", "the other generation has handed out two");
    // The generations are gone; what the store remembers and what came back to the primary count.
    h.primary.execute(DB, "INSERT INTO t VALUES (5000041, 'merged')");
    h.standby.execute("postgres", "DROP DATABASE his_g1; ");
    h.standby.execute("postgres", "DROP DATABASE his_g2; ");
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g3"), "5000042");
    h.primary.execute(DB, "DELETE FROM t WHERE id = 5000041");
    h.standby.execute("postgres", "DROP DATABASE his_g3; ");
    h.snapshot();
    h.load();
    assert_eq!(h.next("his_g4"), "5000042", "the store remembers");
    h.work.edit(|p| {
        p.tables(
            "[[table]]\nname = \"public.t\"\n[[numbers]]\nsequence = \"public.t_id_seq\"\nblock = [5000000, 5000042]\n",
        );
    });
    h.snapshot();
    h.refused(4, &[], "the block is used up (highest seen 5000042, block 5000000..5000042)", "a new block");
}

#[test]
fn numbers_after_a_crash_leave_a_margin() {
    use his_emergency::{cli, load};
    let h = Hospital::small(10);
    h.snapshot();
    h.load();
    let profile = his_emergency::profile::Profile::read(&h.work.config()).expect("a profile");
    let store = his_emergency::store::Store::open(&profile).expect("a store");
    let site = cli::Site { profile, store, by: "test".to_owned(), talk: cli::Talk::silent() };
    let mut client = h.standby.client("his_g1");
    client.batch_execute("SET default_transaction_read_only = off").expect("it can be set");
    let mut advance = |crashed| load::advance_numbers(&site, &mut client, crashed).expect("numbers")[0].clone();
    assert_eq!(advance(false), ("public.t_id_seq".to_owned(), 5_000_000));
    assert_eq!(advance(true), ("public.t_id_seq".to_owned(), 5_001_000));
    assert_eq!(advance(false), ("public.t_id_seq".to_owned(), 5_001_000), "nothing was handed out in between");
}
