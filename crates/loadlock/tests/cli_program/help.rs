//! What the program says of itself.

use crate::program::{run, stderr, stdout};

fn help(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success());
    stdout(&output).to_owned()
}

#[test]
fn the_program_names_its_commands() {
    insta::assert_snapshot!(help(&["--help"]));
}

#[test]
fn each_command_names_its_options() {
    for command in [
        "audit",
        "config",
        "dev",
        "doctor",
        "init",
        "key",
        "provision",
        "put",
        "quarantine",
        "recount",
        "revoke",
        "serve",
        "store",
        "user",
    ] {
        insta::assert_snapshot!(command, help(&[command, "--help"]));
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_a_code_of_their_own() {
    for arguments in [
        &["fly"][..],
        &["put"],
        &["dev", "--port", "70000"],
        &["put", "--metadata", "x", "a.jpg"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).starts_with("error: "),
            "{}",
            stderr(&output)
        );
    }
}
