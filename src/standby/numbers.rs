//! Emergency number blocks: each number is handed out once in its life, whatever is reopened, rolled back or rebuilt.

use super::{Generation, columns};
use crate::catalog::Name;
use crate::cli::Site;
use crate::db::GenericClient;
use crate::db::{self, Client, sql};
use crate::error::{Cannot, Error, Result};
use crate::profile::Numbers;
use crate::queue::Batch;
use crate::store::State;
use minijinja::context;
use std::collections::BTreeMap;
use std::time::Duration;

/// Numbers skipped when a standby that died open is opened again: those of transactions that had not been flushed are
/// in no table and no sequence any more, but may stand on printed paper.
pub const AFTER_A_CRASH: i64 = 1000;

/// One block of the profile.
#[derive(Debug, Clone)]
struct Block {
    sequence: Name,
    first: i64,
    last: i64,
}

/// Highest number seen of each block; nothing below its first.
pub type Seen = BTreeMap<Name, i64>;

/// Sets each block's sequence in the database of `client` to go on after the highest number that this or another
/// generation, the store, its batches, the owning column here or (when asked: for at most that long) on the primary has
/// seen; at first opening to exactly the block's first. Returns the next number of each. Numbers that are kept in columns
/// go on in the same way ([`columns`]).
///
/// `margin` is 0, or [`AFTER_A_CRASH`].
pub fn advance(
    site: &Site,
    client: &mut Client,
    margin: i64,
    ask_primary: Option<Duration>,
) -> Result<Vec<(Name, i64)>> {
    let blocks = blocks(site);
    if site.profile.numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut others = other_generations(site, client)?;
    // A load may still be refused; an opening that waits for nothing is told instead.
    let strict = ask_primary.is_some();
    columns::go_on(site, client, &mut others, margin > 0, strict)?;
    if blocks.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen = seen_by_the_store(site)?;
    in_other_generations(&mut others, &blocks, &mut seen)?;
    if let Some(limit) = ask_primary {
        on_primary(site, &blocks, limit, &mut seen);
    }
    let mut next = Vec::new();
    for block in &blocks {
        let doing = || format!("hand out emergency numbers of '{}'", block.sequence);
        if !is_there(client, &block.sequence)? {
            return Err(Error::refused(doing(), "the standby has no such sequence")
                .hint("check [[numbers]] in the profile, take a new snapshot and load it."));
        }
        let increment = position(client, block, &mut seen)?;
        highest_in_columns(client, block, &mut seen)?;
        let after = seen.get(&block.sequence).map_or(Some(block.first), |n| n.checked_add(increment));
        let number = after.and_then(|n| n.checked_add(margin)).filter(|n| *n <= block.last).ok_or_else(|| {
            let used = seen.get(&block.sequence).map_or("none".to_owned(), ToString::to_string);
            Error::refused(
                doing(),
                format!("the block is used up (highest seen {used}, block {}..{})", block.first, block.last),
            )
            .hint("give this sequence a new block in [[numbers]] of the profile, then take a new snapshot and load it.")
        })?;
        next.push((block.sequence.clone(), number));
    }
    // The store first: a number that the store has not seen must never be handed out.
    let known: Vec<(String, i64)> = next
        .iter()
        .zip(&blocks)
        .filter(|((_, next), block)| *next > block.first)
        .map(|((name, next), _)| (name.to_string(), next - 1))
        .collect();
    if !known.is_empty() {
        State::update(&site.store, |s| known.iter().for_each(|(name, last)| s.saw_number(name, *last)))?;
    }
    for (sequence, number) in &next {
        let text = sql::render(crate::sql!("standby/number_set.sql"), context! { sequence => sequence.sql() })?;
        client.query(&text, &[number]).cannot(format!("set the sequence '{sequence}'"))?;
    }
    Ok(next)
}

/// Reads into the store how far every block and column has been used in the database of `client`, for what comes after it
/// is gone.
pub fn remember(site: &Site, client: &mut Client) -> Result<()> {
    columns::remember(site, client)?;
    let mut seen = Seen::new();
    for block in &blocks(site) {
        if is_there(client, &block.sequence)? {
            position(client, block, &mut seen)?;
            highest_in_columns(client, block, &mut seen)?;
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    State::update(&site.store, |s| seen.iter().for_each(|(name, last)| s.saw_number(&name.to_string(), *last)))
        .map(drop)
}

/// How far the store and its batches have seen each block used.
pub fn seen_by_the_store(site: &Site) -> Result<Seen> {
    let (mut seen, blocks, state) = (Seen::new(), blocks(site), site.store.state()?);
    for block in &blocks {
        note(&mut seen, block, state.numbers.get(&block.sequence.to_string()).copied());
    }
    in_batches(site, &blocks, &mut seen)?;
    Ok(seen)
}

/// How far each block has been used in the database of `client`, by its sequence.
pub fn seen_by(site: &Site, client: &mut Client) -> Result<Seen> {
    let mut seen = Seen::new();
    for block in &blocks(site) {
        if is_there(client, &block.sequence)? {
            position(client, block, &mut seen)?;
        }
    }
    Ok(seen)
}

/// Rows of the owning columns whose number lies above `after` and not above `last`.
pub fn rows_between(client: &mut Client, sequence: &Name, after: i64, last: i64) -> Result<i64> {
    let doing = || format!("look for numbers of '{sequence}'");
    let mut client = client.build_transaction().read_only(true).start().cannot(doing())?;
    client.query(crate::sql!("standby/own_path.sql"), &[]).cannot(doing())?;
    let mut found = 0;
    for owner in client.query(crate::sql!("standby/number_owner.sql"), &[&sequence.sql()]).cannot(doing())? {
        let (table, column) = (Name { schema: owner.get(0), name: owner.get(1) }, owner.get::<_, String>(2));
        let context = context! { table => table.sql(), column, after, last };
        let text = sql::render(crate::sql!("standby/number_count.sql"), context)?;
        found += client.query_one(&text, &[]).cannot(doing())?.get::<_, i64>(0);
    }
    Ok(found)
}

fn blocks(site: &Site) -> Vec<Block> {
    let block = |n: &Numbers| match n {
        Numbers::Block { sequence, first, last } => {
            Some(Block { sequence: sequence.clone(), first: *first, last: *last })
        }
        _ => None,
    };
    site.profile.numbers.iter().filter_map(block).collect()
}

fn note(seen: &mut Seen, block: &Block, number: Option<i64>) {
    if let Some(number) = number.filter(|n| (block.first..=block.last).contains(n)) {
        let highest = seen.entry(block.sequence.clone()).or_insert(number);
        *highest = (*highest).max(number);
    }
}

fn in_batches(site: &Site, blocks: &[Block], seen: &mut Seen) -> Result<()> {
    for event in site.store.events()? {
        // The last one says the most; a damaged one is the merge's business, the sequence itself knows as much.
        let Some((_, dir)) = site.store.batches(&event)?.pop() else { continue };
        match Batch::open(&dir, site.store.seal()) {
            Ok(batch) => {
                for number in &batch.manifest.numbers {
                    if let Some(block) = blocks.iter().find(|b| b.sequence == number.sequence) {
                        note(seen, block, number.last);
                    }
                }
            }
            Err(e) => log::warn!("{e}"),
        }
    }
    Ok(())
}

/// One session in each generation on the standby's server but that of `client`.
fn other_generations(site: &Site, client: &mut Client) -> Result<Vec<Client>> {
    let here: String =
        client.query_one(crate::sql!("standby/database_name.sql"), &[]).cannot("ask the standby")?.get(0);
    let standby = site.profile.standby()?.named(&crate::store::program());
    let all = Generation::all(&standby)?;
    all.iter().filter(|g| g.database != here).map(|g| standby.connect_to(&g.database)).collect()
}

fn in_other_generations(others: &mut [Client], blocks: &[Block], seen: &mut Seen) -> Result<()> {
    for client in others {
        for block in blocks {
            if is_there(client, &block.sequence)? {
                position(client, block, seen)?;
            }
        }
    }
    Ok(())
}

/// What the primary has in the owning columns. A primary that does not answer is no obstacle: what came back to it went
/// through the store.
fn on_primary(site: &Site, blocks: &[Block], limit: Duration, seen: &mut Seen) {
    let Ok(primary) = site.profile.primary() else { return };
    let primary = primary.named(&crate::store::program());
    let mine = blocks.to_vec();
    let found = db::within(limit, move || -> Result<Seen> {
        let mut client = primary.connect_within(primary.database(), limit)?;
        let mut seen = Seen::new();
        for block in &mine {
            if is_there(&mut client, &block.sequence)? {
                highest_in_columns(&mut client, block, &mut seen)?;
            }
        }
        Ok(seen)
    });
    match found {
        Some(Ok(found)) => {
            for block in blocks {
                note(seen, block, found.get(&block.sequence).copied());
            }
        }
        Some(Err(e)) => log::info!("the primary was not asked for emergency numbers: {e}"),
        None => log::info!("the primary was not asked for emergency numbers: no answer in time"),
    }
}

fn is_there(client: &mut impl GenericClient, sequence: &Name) -> Result<bool> {
    let row = client.query_one(crate::sql!("standby/number_there.sql"), &[&sequence.sql()]);
    Ok(row.cannot(format!("look for the sequence '{sequence}'"))?.get(0))
}

/// Notes the last number that the sequence itself handed out; returns its increment.
fn position(client: &mut impl GenericClient, block: &Block, seen: &mut Seen) -> Result<i64> {
    let text = sql::render(crate::sql!("standby/number_position.sql"), context! { sequence => block.sequence.sql() })?;
    let row = client.query_one(&text, &[]).cannot(format!("read the sequence '{}'", block.sequence))?;
    let (last, called, increment): (i64, bool, i64) = (row.get(0), row.get(1), row.get(2));
    note(seen, block, if called { Some(last) } else { last.checked_sub(1) });
    // Clients that draw ids in pools use the numbers between two steps as well.
    Ok(increment.max(1))
}

fn highest_in_columns(client: &mut Client, block: &Block, seen: &mut Seen) -> Result<()> {
    let doing = || format!("look for emergency numbers of '{}'", block.sequence);
    let mut client = client.transaction().cannot(doing())?;
    client.query(crate::sql!("standby/own_path.sql"), &[]).cannot(doing())?;
    let owners = client.query(crate::sql!("standby/number_owner.sql"), &[&block.sequence.sql()]).cannot(doing())?;
    for owner in owners {
        let table = Name { schema: owner.get(0), name: owner.get(1) };
        let column: String = owner.get(2);
        let text = sql::render(
            crate::sql!("standby/number_highest.sql"),
            context! { table => table.sql(), column, first => block.first, last => block.last },
        )?;
        note(seen, block, client.query_one(&text, &[]).cannot(doing())?.get(0));
    }
    client.rollback().cannot(doing())
}
