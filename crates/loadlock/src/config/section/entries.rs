//! Arrays of tables: `[[issuers]]`.

use std::cell::RefCell;

use toml::de::DeValue;

use super::{Place, Section, variable};

impl Section<'_> {
    /// The entries of an array of tables.
    pub(in crate::config) fn sections(&self, name: &str) -> Vec<Self> {
        self.known.borrow_mut().push(name.to_owned());
        let Some((key, value)) = self.table.and_then(|table| table.get_key_value(name)) else {
            return Vec::new();
        };
        let path = self.path_of(name);
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut sections = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) if value.get_ref().is_array() => sections.push(Self {
                    reader: self.reader,
                    path: format!("[{path}]"),
                    takes_variables: false,
                    table: Some(table),
                    place: self.reader.place(Some(item.span().start)),
                    known: RefCell::default(),
                }),
                _ => {
                    let place = self.reader.place(Some(key.span().start));
                    let says = format!("{} is no list of sections", self.named(name));
                    self.reader.fault(place, says, format!("[[{path}]]"));
                    return sections;
                }
            }
        }
        sections
    }

    /// The same, where variables go over an only entry, or make one.
    pub(in crate::config) fn sections_or_variables(&self, name: &str) -> Vec<Self> {
        let mut sections = self.sections(name);
        let path = self.path_of(name);
        let prefix = format!("{}_", variable(&path));
        let variables = self.reader.environment.keys();
        let said = variables.filter(|name| name.starts_with(&prefix));
        if sections.is_empty() && said.clone().next().is_some() {
            sections.push(Self {
                reader: self.reader,
                path: format!("[{path}]"),
                takes_variables: true,
                table: None,
                place: Place::Variable(format!("{prefix}*")),
                known: RefCell::default(),
            });
        }
        match sections.as_mut_slice() {
            [only] => only.takes_variables = true,
            _ => said.for_each(|name| {
                let says = format!("nothing says which of the [[{path}]] is meant");
                let right = "a line under the one that is".to_owned();
                self.reader
                    .fault(Place::Variable(name.clone()), says, right);
            }),
        }
        sections
    }
}
