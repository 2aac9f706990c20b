//! `meshctl trust serve` as a process that a test starts, looks at and ends.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::client::plain;
use crate::Scratch;
use crate::cli::words;

/// A running endpoint, ended when dropped.
pub struct Serving {
    child: Child,
    /// Where the bundle is.
    pub address: SocketAddr,
    /// Where the metrics are.
    pub metrics: SocketAddr,
    /// What it printed when it started.
    pub announced: String,
}

impl Serving {
    /// Starts `meshctl trust serve ARGS` on free ports, in a folder, and waits until it answers. What it says on standard
    /// error is in the file `serve.err`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(meshctl: &str, scratch: &Scratch, args: &str) -> Self {
        let args = format!("trust serve --listen 127.0.0.1:0 --metrics 0 {args}");
        let errors = File::create(scratch.join("serve.err")).expect("a file");
        let mut child = Command::new(meshctl)
            .args(words(&args))
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("a program that starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut announced = String::new();
        while !announced.contains("metrics at ") {
            let read = lines.read_line(&mut announced).expect("text");
            assert!(read > 0, "{announced}{}", scratch.read("serve.err"));
        }
        let address = |start: &str| {
            let rest = announced.split(start).nth(1).expect("an address");
            rest.split('/').next().expect("an address").parse().expect("an address")
        };
        let (address, metrics) = (address("https://"), address("http://"));
        Self { child, address, metrics, announced }
    }

    /// The URL with the name for which certificates of the Web PKI are.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> String {
        plain(self.metrics, "/metrics")
    }

    /// Whether a metric has this value.
    #[must_use]
    pub fn counts(&self, line: &str) -> bool {
        self.metrics().lines().any(|found| found == line)
    }

    /// Asks it to end.
    pub fn terminate(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            // It may end in this very moment.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.child.wait().expect("a process that ends")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.terminate();
        // What counts has been looked at before.
        let _ = self.child.wait();
    }
}
