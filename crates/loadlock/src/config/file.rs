//! `loadlock.toml`, and the environment over it.

use std::{
    cell::RefCell,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    Audit, Config, Origins, authorizer, credentials,
    forms::{FILE, KEEP, LISTEN, ORIGIN, PROFILE, SECRET, URL},
    inspect, issuers, keys, limits, profiles, quotas,
    reader::Reader,
    section::Section,
    store,
};
pub use super::{
    faults::{Fault, Faults, Place},
    reader::{Effective, Environment},
    value::quoted,
};
use crate::{
    auth::{KeyRing, Secret},
    upload::Profile,
};

/// Where the configuration is, unless something else is said.
pub const USUAL: &str = "loadlock.toml";

/// All that `loadlock serve` is told.
#[derive(Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub config: Config,
    /// Every setting as it holds, and where it stands.
    pub effective: Vec<Effective>,
}

impl Settings {
    /// What is wrong with them on the embedded store, which keeps less than others do.
    pub fn check_for_embedded(&self) -> Result<(), Faults> {
        let faults = self.config.profiles.iter().flat_map(|profile| {
            let section = format!("profiles.{}.storage", profile.name);
            let found = profiles::storage::beyond_embedded(profile).into_iter();
            found.map(move |(name, says, right)| Fault {
                place: self.place_of(&section, name),
                says: format!("`{section}.{name}` {says}"),
                right,
            })
        });
        let faults: Vec<Fault> = faults.collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Faults::new(faults))
        }
    }

    fn place_of(&self, section: &str, name: &str) -> Place {
        let mut settings = self.effective.iter();
        let found = settings.find(|one| one.section == section && one.name == name);
        let place = found.and_then(|one| one.place.clone());
        place.unwrap_or_else(|| Place::Variable(section.to_owned()))
    }
}

/// Reads the file named, or the usual one if there is one, and the variables `LOADLOCK_*` over it.
pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Settings, Faults> {
    let path = named.unwrap_or(Path::new(USUAL));
    let text = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let given = environment.contains_key("LOADLOCK_PUBLIC_URL");
            if named.is_some() || !given {
                let right = "`loadlock init` writes one; or name another with --config";
                return Err(unreadable(path, "there is no such file", right));
            }
            None
        }
        Err(error) => {
            let right = "a text file that this user may read";
            return Err(unreadable(path, &format!("cannot be read: {error}"), right));
        }
    };
    parse(path, text.as_deref(), environment)
}

/// What is wrong with a text that is to become this file.
pub fn check(path: &Path, text: &str) -> Result<(), Faults> {
    parse(path, Some(text), &Environment::new()).map(drop)
}

fn unreadable(path: &Path, says: &str, right: &str) -> Faults {
    let name = path.display().to_string();
    Faults::from(Fault {
        place: Place::File { name, line: None },
        says: says.to_owned(),
        right: right.to_owned(),
    })
}

/// The same of a text; `path` says how the file is called, and what its relative paths start from.
fn parse(path: &Path, text: Option<&str>, environment: &Environment) -> Result<Settings, Faults> {
    let (document, errors) = DeTable::parse_recoverable(text.unwrap_or_default());
    let reader = Reader {
        file: text.map(|_| path.display().to_string()),
        text: text.unwrap_or_default(),
        environment,
        notes: RefCell::default(),
    };
    for error in &errors {
        let place = reader.place(error.span().map(|span| span.start));
        let says = format!("this is no TOML: {}", error.message());
        reader.fault(
            place,
            says,
            "name = \"value\"; see docs/configuration.md".to_owned(),
        );
    }
    // What else is missing or wrong cannot be told before the file can be read.
    let settings = if errors.is_empty() {
        read(Section::root(&reader, document.get_ref()), path)
    } else {
        None
    };
    reader.note_strays();
    let (effective, faults) = reader.finish();
    match (settings, faults) {
        (Some((listen, config)), None) => Ok(Settings {
            listen,
            config,
            effective,
        }),
        (_, Some(faults)) => Err(faults),
        (None, None) => Err(unreadable(
            path,
            "does not say what it should",
            "see docs/configuration.md",
        )),
    }
}

fn read(root: Section<'_>, path: &Path) -> Option<(SocketAddr, Config)> {
    let listen = root.or("listen", "127.0.0.1:8080", &LISTEN);
    let api_url = root.required("public_url", &URL);
    let records = root.or("records", "./loadlock.db", &FILE);
    let origins = root.list("origins", &ORIGIN);
    let secrets = root.required_list("secrets", &SECRET);
    let user_secrets = root.list("user_secrets", &SECRET);
    let upload_url = root.optional("upload_url", &PROFILE);
    let issuers = issuers::read(&root);
    let store = store::read(root.section("store"));
    let profiles = profiles::read(&root);
    let quotas = quotas::read(root.section("quotas"));
    let limits = limits::read(root.section("limits"));
    let tokens = keys::read(&root, profiles.as_deref());
    let authorizer = authorizer::read(root.section("authorizer"), profiles.as_deref());
    let credentials = credentials::read(root.section("credentials"));
    if let (Some(vending), Some(authorizer), Some(profiles)) =
        (&credentials, &authorizer, &profiles)
    {
        credentials::check(&root, vending.as_ref(), authorizer.as_ref(), profiles);
    }
    if let (Some(Some(wanted)), Some(profiles)) = (&upload_url, &profiles) {
        root.check_profile("upload_url", wanted, profiles);
        check_unchecked(&root, wanted, profiles);
    }
    let audit = audit(root.section("audit"));
    let scanning = inspect::scanning(root.section("scanning"));
    if let (Some(scanning), Some(profiles)) = (&scanning, &profiles) {
        inspect::check(&root, scanning, profiles);
    }
    let records = records.map(|records| beside(&root, path, records));
    root.close();
    let config = Config {
        api_url: api_url?,
        records: records?,
        store: store?,
        profiles: profiles?,
        origins: Origins::Listed(origins?),
        tokens: tokens?,
        secrets: key_ring(secrets?)?,
        user_secrets: user_secrets?,
        issuers: issuers?,
        authorizer: authorizer?,
        upload_url: upload_url?,
        audit: audit?,
        scanning: scanning?,
        credentials: credentials?,
        quotas: quotas?,
        limits: limits?,
    };
    Some((listen?, config))
}

fn audit(section: Section<'_>) -> Option<Audit> {
    let keep = section.or("keep", "365 days", &KEEP);
    section.close();
    Some(Audit { keep: keep? })
}

fn key_ring(secrets: Vec<Secret>) -> Option<KeyRing> {
    let mut secrets = secrets.into_iter();
    Some(KeyRing::new(secrets.next()?, secrets.collect()))
}

/// What a file says is meant from where it lies; what a variable says, from where the program runs.
fn beside(root: &Section<'_>, path: &Path, records: PathBuf) -> PathBuf {
    match root.place_of("records") {
        Place::File { .. } => path.parent().unwrap_or(Path::new("")).join(records),
        Place::Variable(_) => records,
    }
}

/// Such clients send no checksum.
fn check_unchecked(root: &Section<'_>, wanted: &str, profiles: &[Profile]) {
    let meant = profiles.iter().find(|profile| profile.name == wanted);
    if meant.is_some_and(|profile| profile.checksum.is_some()) {
        let says = format!(
            "is \"{wanted}\", which takes nothing without a checksum, and such clients send none"
        );
        root.fault("upload_url", &says, "a profile without `checksum`");
    }
}
