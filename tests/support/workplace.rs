//! A hospital's place to work: a profile, a store, and our programs run on them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::cluster::Cluster;
use super::place::Place;
use super::program::{Program, Ran, Running};

/// The name of the HIS's database on both sides.
pub const DB: &str = "his";

/// Whether each profile asks for deltas unless its test says itself: `HIS_TEST_DELTAS=1`, which `make test-deltas` sets.
pub fn deltas_everywhere() -> bool {
    std::env::var("HIS_TEST_DELTAS").is_ok_and(|asked| !matches!(&*asked, "" | "0"))
}

/// What `his.toml` will say.
#[derive(Clone, Debug)]
pub struct Profile {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    tables: String,
}

impl Profile {
    /// The least that a profile needs, for the database `his` on both servers and a store beside the profile.
    pub fn new(primary: &Cluster, standby: &Cluster) -> Self {
        let mut profile = Self { sections: BTreeMap::new(), tables: String::new() };
        profile.set("site", "name", "\"示例医院门诊部\"").set("site", "code", "\"01\"");
        profile.set("primary", "url", &format!("\"{}\"", primary.url(DB)));
        profile.set("standby", "url", &format!("\"{}\"", standby.url(DB)));
        profile.set("store", "dir", "\"store\"");
        if deltas_everywhere() {
            profile.set("store", "full_every", "\"1d\"");
        }
        profile
    }

    /// Sets a key of a section; the value is TOML as it will stand there (so a text with its quotes).
    pub fn set(&mut self, section: &str, key: &str, value: &str) -> &mut Self {
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Takes a key out again.
    pub fn unset(&mut self, section: &str, key: &str) -> &mut Self {
        self.sections.entry(section.to_owned()).or_default().remove(key);
        self
    }

    /// Puts these `[[table]]` and `[[numbers]]` in place of those it has.
    pub fn tables(&mut self, toml: &str) -> &mut Self {
        toml.clone_into(&mut self.tables);
        self
    }

    /// The whole profile as TOML.
    pub fn text(&self) -> String {
        let mut text = "format = 1\n".to_owned();
        for (section, keys) in &self.sections {
            text += &["\n[", section, "]\n"].concat();
            for (key, value) in keys {
                text += &[key, " = ", value, "\n"].concat();
            }
        }
        text + "\n" + &self.tables
    }
}

/// A directory with `his.toml` and `store/`, removed when dropped.
#[derive(Debug)]
pub struct Workplace {
    profile: Profile,
    place: Place,
}

impl Workplace {
    /// A new one for a primary and a standby, with these `[[table]]` and `[[numbers]]`.
    pub fn new(primary: &Cluster, standby: &Cluster, tables: &str) -> Self {
        let mut profile = Profile::new(primary, standby);
        profile.tables(tables);
        Self::with(profile)
    }

    /// Another one with the same profile and a store of its own, as somebody sets the toolkit up a second time.
    pub fn second(&self) -> Self {
        Self::with(self.profile.clone())
    }

    /// A new one with this profile.
    pub fn with(profile: Profile) -> Self {
        let workplace = Self { profile, place: Place::new("work") };
        fs::create_dir(workplace.store()).expect("the place is new");
        workplace.write();
        workplace
    }

    /// Changes the profile, and writes it again.
    pub fn edit(&mut self, change: impl FnOnce(&mut Profile)) {
        change(&mut self.profile);
        self.write();
    }

    /// Sets a key of a section of the profile (a value as in TOML), and writes it again.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        self.profile.set(section, key, value);
        self.write();
    }

    /// Has every snapshot be a full one, also where [`deltas_everywhere`]: for a test of what only full ones do.
    pub fn only_full(&mut self) {
        self.set("store", "full_every", "\"0s\"");
    }

    /// The directory of it all.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The profile's path.
    pub fn config(&self) -> PathBuf {
        self.path().join("his.toml")
    }

    /// The store's directory.
    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// One of our programs, about to be run here.
    pub fn program(&self, name: &str, args: &[&str]) -> Program {
        Program::ours(name).args(args).env("HIS_CONFIG", self.config()).dir(self.path())
    }

    /// Runs one of our programs here to its end.
    pub fn run(&self, name: &str, args: &[&str]) -> Ran {
        self.program(name, args).run()
    }

    /// Runs one of our programs here with `--json`; panics unless it ends with this exit code; gives its object.
    #[track_caller]
    pub fn json(&self, code: i32, name: &str, args: &[&str]) -> serde_json::Value {
        self.program(name, args).args(["--json"]).run().expect(code).json()
    }

    /// Starts one of our programs here and goes on.
    pub fn start(&self, name: &str, args: &[&str]) -> Running {
        self.program(name, args).start()
    }

    fn write(&self) {
        fs::write(self.config(), self.profile.text()).expect("the profile can be written");
    }
}
