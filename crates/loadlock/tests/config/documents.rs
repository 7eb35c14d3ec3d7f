//! What the documents show of `loadlock.toml` is sound.

use std::fs;

use crate::{IMAGE, STORE, TOP, loaded};

/// Below the package.
const DOCUMENTS: [&str; 2] = ["../../README.md", "../../docs/configuration.md"];

#[test]
fn every_example_of_the_documents_is_taken() {
    for document in DOCUMENTS {
        let text = fs::read_to_string(document).unwrap();
        let examples: Vec<&str> = text.split("```toml\n").skip(1).collect();
        assert!(!examples.is_empty(), "{document}");
        for example in examples {
            let (example, _) = example.split_once("```").unwrap();
            // What an example leaves out, because it is about something else.
            let profile = if example.contains("[profiles.") {
                ""
            } else {
                IMAGE
            };
            let faults = loaded(&[TOP, STORE, example, profile].concat(), &[]).err();
            assert!(faults.is_none(), "{document}:\n{example}\n{faults:?}");
        }
    }
}
