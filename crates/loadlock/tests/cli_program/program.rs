//! The built program, run as a person would run it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
};

use serde_json::Value;

/// `loadlock` without anything from this environment.
pub(crate) fn loadlock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadlock"));
    command
        .env_remove("LOADLOCK_API")
        .env_remove("LOADLOCK_TOKEN")
        .env_remove("LOADLOCK_LOG")
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    loadlock().args(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// A running `loadlock` that says in one line that it is ready; it dies with this.
pub(crate) struct Dev {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The one line it printed.
    pub(crate) ready: Value,
}

impl Dev {
    /// `loadlock dev` on any free ports, once it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_on(data, "0", "0")
    }

    fn start_on(data: &Path, port: &str, s3_port: &str) -> Self {
        let data = data.to_str().unwrap();
        Self::run(&["dev", "--port", port, "--s3-port", s3_port, "--data", data])
    }

    /// A command that stays, once it is ready.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        Self::spawn(loadlock().args(arguments))
    }

    /// The same of a command with its own surroundings.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .arg("--json")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of JSON: {line:?}"));
        Self {
            child,
            output,
            ready,
        }
    }

    pub(crate) fn said(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// The port of one of the addresses it said.
    pub(crate) fn port(&self, name: &str) -> &str {
        self.said(name).rsplit(':').next().unwrap()
    }

    /// Sends SIGKILL, and starts it anew where it was.
    pub(crate) fn kill_and_start_again(mut self) -> Self {
        self.kill();
        self.start_again()
    }

    /// Sends SIGKILL, and waits for its death.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it anew where it was.
    pub(crate) fn start_again(self) -> Self {
        Self::start_on(
            Path::new(self.said("data")),
            self.port("api"),
            self.port("s3"),
        )
    }

    /// Sends SIGTERM; what it still printed, and how it ended.
    pub(crate) fn stop(mut self) -> (String, ExitStatus) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap())
    }

    /// `loadlock put` against it.
    pub(crate) fn put(&self, arguments: &[&str]) -> Output {
        self.put_command().args(arguments).output().unwrap()
    }

    /// The same, to be started.
    pub(crate) fn put_command(&self) -> Command {
        let mut command = loadlock();
        command.args([
            "put",
            "--api",
            self.said("api"),
            "--token",
            self.said("token"),
        ]);
        command
    }
}

impl Drop for Dev {
    /// SIGKILL: nothing is put in order.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
