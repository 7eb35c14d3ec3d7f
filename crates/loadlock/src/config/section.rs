//! Reads settings one by one, from the environment or the file, and notes every fault instead of stopping at the first.

mod entries;

use std::cell::RefCell;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    faults::Place,
    forms::{Form, Secrecy, Wrong},
    reader::{Effective, Reader, nearest},
    value::{Found, kind, quoted, shown, written},
};
use crate::upload::Profile;

/// A table of the file, and the variables that go over it.
pub(super) struct Section<'r> {
    reader: &'r Reader<'r>,
    /// `store.uploader`; empty for the outermost, `[issuers]` for an entry of an array.
    path: String,
    /// Whether variables go over it: not of several entries, of which nothing says which one is meant.
    takes_variables: bool,
    table: Option<&'r DeTable<'r>>,
    place: Place,
    known: RefCell<Vec<String>>,
}

/// `LOADLOCK_STORE_ENDPOINT` for `store.endpoint`.
fn variable(path: &str) -> String {
    format!("LOADLOCK_{}", path.to_uppercase().replace(['.', '-'], "_"))
}

impl<'r> Section<'r> {
    /// The settings above all sections.
    pub(super) fn root(reader: &'r Reader<'r>, table: &'r DeTable<'r>) -> Self {
        Self {
            reader,
            path: String::new(),
            takes_variables: true,
            table: reader.file.is_some().then_some(table),
            place: reader.place(None),
            known: RefCell::default(),
        }
    }

    /// A section within this one; there or not.
    pub(super) fn section(&self, name: &str) -> Self {
        self.known.borrow_mut().push(name.to_owned());
        let entry = self.table.and_then(|table| table.get_key_value(name));
        let table = entry.and_then(|(key, value)| {
            if let DeValue::Table(table) = value.get_ref() {
                return Some(table);
            }
            let place = self.reader.place(Some(key.span().start));
            let says = format!("{} is no section", self.named(name));
            self.reader
                .fault(place, says, format!("[{}]", self.path_of(name)));
            None
        });
        let offset = entry.map(|(key, _)| key.span().start);
        Self {
            reader: self.reader,
            path: self.path_of(name),
            takes_variables: self.takes_variables,
            table,
            place: self.reader.place(offset),
            known: RefCell::default(),
        }
    }

    /// Whether the environment says something for this setting.
    pub(super) fn is_overridden(&self, name: &str) -> bool {
        matches!(self.find(name), Some((_, Place::Variable(_))))
    }

    /// Whether the file has this section, or the environment something for it.
    pub(super) fn is_there(&self) -> bool {
        let prefix = format!("{}_", variable(&self.path));
        let mut variables = self.reader.environment.keys();
        self.table.is_some() || variables.any(|name| name.starts_with(&prefix))
    }

    /// The names within: the file's in their order, then those that a variable alone brings, by one of these settings.
    pub(super) fn names(&self, settings: &[&str]) -> Vec<String> {
        let mut items: Vec<_> = self.table.into_iter().flatten().collect();
        items.sort_by_key(|(key, _)| key.span().start);
        let mut names: Vec<String> = items
            .into_iter()
            .map(|(key, _)| key.get_ref().to_string())
            .collect();
        let prefix = format!("{}_", variable(&self.path));
        for rest in (self.reader.environment.keys()).filter_map(|name| name.strip_prefix(&prefix)) {
            let suffix =
                |setting: &&str| rest.strip_suffix(&format!("_{}", setting.to_uppercase()));
            let Some(name) = settings.iter().find_map(suffix) else {
                continue;
            };
            if !names.iter().any(|known| variable(known) == variable(name)) {
                names.push(name.to_lowercase());
            }
        }
        names
    }

    /// A setting that must be there.
    pub(super) fn required<T>(&self, name: &str, form: &Form<T>) -> Option<T> {
        if let Some((found, place)) = self.find(name) {
            return self.scalar(name, form, &found, &place);
        }
        self.missing(name, form.right);
        None
    }

    /// A setting that may be missing: then it is as this text says.
    pub(super) fn or<T>(&self, name: &str, default: &str, form: &Form<T>) -> Option<T> {
        if let Some((found, place)) = self.find(name) {
            return self.scalar(name, form, &found, &place);
        }
        self.effective(name, shown(form, &Found::Text(default)), None);
        (form.parse)(default).ok()
    }

    /// A setting that may be missing. The outer `None` is a fault.
    #[expect(
        clippy::option_option,
        reason = "missing is no fault here, and a fault is not missing"
    )]
    pub(super) fn optional<T>(&self, name: &str, form: &Form<T>) -> Option<Option<T>> {
        if let Some((found, place)) = self.find(name) {
            return self.scalar(name, form, &found, &place).map(Some);
        }
        self.note(name, None, None);
        Some(None)
    }

    /// A list; empty if it is missing.
    pub(super) fn list<T>(&self, name: &str, form: &Form<T>) -> Option<Vec<T>> {
        self.list_or(name, &[], form)
    }

    /// A list with something in it.
    pub(super) fn required_list<T>(&self, name: &str, form: &Form<T>) -> Option<Vec<T>> {
        let Some((_, place)) = self.find(name) else {
            self.missing(name, &format!("[{}]", form.right));
            return None;
        };
        let list = self.list(name, form)?;
        if list.is_empty() {
            let says = format!("{} is empty", self.named(name));
            self.reader.fault(place, says, format!("[{}]", form.right));
            return None;
        }
        Some(list)
    }

    /// A list that may be missing: then it is this.
    pub(super) fn list_or<T>(
        &self,
        name: &str,
        default: &[&str],
        form: &Form<T>,
    ) -> Option<Vec<T>> {
        let Some((found, place)) = self.find(name) else {
            let shown: Vec<String> = default.iter().map(|text| quoted(text)).collect();
            self.effective(name, format!("[{}]", shown.join(", ")), None);
            let parsed = default.iter().map(|text| (form.parse)(text).ok());
            return parsed.collect();
        };
        let entries: Vec<(Found<'r>, Place)> = match found {
            Found::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|piece| !piece.is_empty())
                .map(|piece| (Found::Text(piece), place.clone()))
                .collect(),
            Found::Item(DeValue::Array(items)) => items
                .iter()
                .map(|item| {
                    let place = self.reader.place(Some(item.span().start));
                    (Found::Item(item.get_ref()), place)
                })
                .collect(),
            Found::Item(other) => {
                let says = format!("{} is {}, and no list", self.named(name), kind(other));
                self.reader.fault(place, says, format!("[{}]", form.right));
                return None;
            }
        };
        let shown: Vec<String> = entries
            .iter()
            .map(|(found, _)| shown(form, found))
            .collect();
        self.effective(name, format!("[{}]", shown.join(", ")), Some(place));
        // Every entry is looked at, also after a faulty one.
        let parsed: Vec<Option<T>> = entries
            .iter()
            .map(|(found, place)| self.parsed(name, form, found, place))
            .collect();
        parsed.into_iter().collect()
    }

    /// Notes a fault of a setting that is sound by itself.
    pub(super) fn fault(&self, name: &str, says: &str, right: &str) {
        let place = self.place_of(name);
        let says = format!("{} {says}", self.named(name));
        self.reader.fault(place, says, right.to_owned());
    }

    /// Notes a fault where no profile has this name.
    pub(super) fn check_profile(&self, setting: &str, wanted: &str, profiles: &[Profile]) {
        if profiles.iter().all(|profile| profile.name != wanted) {
            let names: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
            let says = format!("is {}, and there is no such profile", quoted(wanted));
            self.fault(setting, &says, &format!("one of {}", names.join(", ")));
        }
    }

    /// Whether something is said for this setting.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Where a setting stands, or would.
    pub(super) fn place_of(&self, name: &str) -> Place {
        let found = self.find(name);
        found.map_or_else(|| self.place.clone(), |(_, place)| place)
    }

    /// Notes what nobody asked for.
    pub(super) fn close(self) {
        let known = self.known.into_inner();
        for (key, _) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if known.iter().any(|known| known == name) {
                continue;
            }
            let path = join(&self.path, name);
            let right = match nearest(name, known.iter().map(String::as_str)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("one of {}", known.join(", ")),
            };
            let place = self.reader.place(Some(key.span().start));
            self.reader
                .fault(place, format!("there is no setting `{path}`"), right);
        }
    }

    fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// For a sentence.
    fn named(&self, name: &str) -> String {
        format!("`{}`", self.path_of(name))
    }

    fn find(&self, name: &str) -> Option<(Found<'r>, Place)> {
        let mut known = self.known.borrow_mut();
        if !known.iter().any(|known| known == name) {
            known.push(name.to_owned());
        }
        if self.takes_variables {
            let variable = variable(&self.path_of(name));
            if let Some(text) = self.reader.variable(&variable) {
                return Some((Found::Text(text), Place::Variable(variable)));
            }
        }
        let (key, value) = self.table?.get_key_value(name)?;
        let place = self.reader.place(Some(key.span().start));
        Some((Found::Item(Spanned::get_ref(value)), place))
    }

    /// Notes that a setting is not there.
    pub(super) fn missing(&self, name: &str, right: &str) {
        let variable = variable(&self.path_of(name));
        let right = if !self.takes_variables || self.reader.file.is_none() {
            format!("{name} = {right}")
        } else {
            format!("{name} = {right}, or {variable}")
        };
        let place = match self.reader.file {
            Some(_) => self.place.clone(),
            None => Place::Variable(variable),
        };
        let says = format!("{} is missing", self.named(name));
        self.reader.fault(place, says, right);
    }

    fn scalar<T>(&self, name: &str, form: &Form<T>, found: &Found<'r>, place: &Place) -> Option<T> {
        self.effective(name, shown(form, found), Some(place.clone()));
        self.parsed(name, form, found, place)
    }

    fn parsed<T>(&self, name: &str, form: &Form<T>, found: &Found<'r>, place: &Place) -> Option<T> {
        let text = match found {
            Found::Text(text) => Ok((*text).to_owned()),
            Found::Item(value) => written(value, form.takes),
        };
        let text = match text {
            Ok(text) => text,
            Err(kind) => {
                let says = format!("{} is {kind}", self.named(name));
                self.reader
                    .fault(place.clone(), says, form.right.to_owned());
                return None;
            }
        };
        match (form.parse)(&text) {
            Ok(value) => Some(value),
            Err(Wrong { says, right }) => {
                let says = match form.secrecy {
                    Secrecy::Open => format!("{}: {} {says}", self.named(name), quoted(&text)),
                    Secrecy::Hidden => format!("{} {says}", self.named(name)),
                };
                let right = right.unwrap_or_else(|| form.right.to_owned());
                self.reader.fault(place.clone(), says, right);
                None
            }
        }
    }

    fn effective(&self, name: &str, value: String, place: Option<Place>) {
        self.note(name, Some(value), place);
    }

    fn note(&self, name: &str, value: Option<String>, place: Option<Place>) {
        self.reader.effective(Effective {
            section: self.path.clone(),
            name: name.to_owned(),
            value,
            place,
        });
    }
}

fn join(path: &str, name: &str) -> String {
    let path = path.trim_matches(['[', ']']);
    match (path, name) {
        ("", name) => name.to_owned(),
        (path, "") => path.to_owned(),
        (path, name) => format!("{path}.{name}"),
    }
}
