//! What a server counts, as text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meshpki::Time;
use meshpki::spiffe::Bundle;

use super::content::ReloadedFile;

/// What a server has counted since it started.
pub(super) struct Counters(Mutex<Counts>);

struct Counts {
    /// Responses by status.
    responses: BTreeMap<u16, u64>,
    tls_errors: u64,
    http_errors: u64,
    connections: u64,
    bundle: Reloads,
    certificate: Reloads,
    /// When something was taken over last; at first, the start.
    reloaded: Time,
}

/// What became of new content of a file.
#[derive(Clone, Copy, Default)]
struct Reloads {
    failures: u64,
    /// The file has content that is not published.
    is_refused: bool,
}

impl Counters {
    /// Nothing counted yet.
    pub(super) fn new(now: Time) -> Self {
        Self(Mutex::new(Counts {
            responses: BTreeMap::new(),
            tls_errors: 0,
            http_errors: 0,
            connections: 0,
            bundle: Reloads::default(),
            certificate: Reloads::default(),
            reloaded: now,
        }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn responded(&self, status: u16) {
        *self.counts().responses.entry(status).or_default() += 1;
    }

    pub(super) fn tls_failed(&self) {
        self.counts().tls_errors += 1;
    }

    pub(super) fn http_failed(&self) {
        self.counts().http_errors += 1;
    }

    pub(super) fn opened(&self) {
        self.counts().connections += 1;
    }

    pub(super) fn closed(&self) {
        let mut counts = self.counts();
        counts.connections = counts.connections.saturating_sub(1);
    }

    pub(super) fn reloaded(&self, file: ReloadedFile, now: Time) {
        let mut counts = self.counts();
        counts.of(file).is_refused = false;
        counts.reloaded = now;
    }

    pub(super) fn reload_failed(&self, file: ReloadedFile) {
        let mut counts = self.counts();
        let reloads = counts.of(file);
        reloads.failures += 1;
        reloads.is_refused = true;
    }

    pub(super) fn reload_recovered(&self, file: ReloadedFile) {
        self.counts().of(file).is_refused = false;
    }

    /// Every metric, in the text format of Prometheus.
    pub(super) fn text(&self, bundle: &Bundle, certificate_until: Option<Time>) -> String {
        let counts = self.counts();
        let expiry = bundle.roots().iter().filter_map(|root| root.not_after().time()).min();
        let responses: Vec<_> = counts
            .responses
            .iter()
            .map(|(status, count)| (format!("{{status=\"{status}\"}}"), count.to_string()))
            .collect();
        let per_file = |value: fn(&Reloads) -> u64| {
            [("bundle", &counts.bundle), ("certificate", &counts.certificate)]
                .map(|(file, reloads)| (format!("{{file=\"{file}\"}}"), value(reloads).to_string()))
        };
        let one = |value: String| [(String::new(), value)];
        let time = |time: Option<Time>| time.map(|time| (String::new(), time.0.to_string()));
        let mut text = String::new();
        let mut add = |name: &str, kind: &str, help: &str, samples: &[(String, String)]| {
            if samples.is_empty() {
                return;
            }
            let _ = writeln!(text, "# HELP meshctl_bundle_{name} {help}");
            let _ = writeln!(text, "# TYPE meshctl_bundle_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "meshctl_bundle_{name}{labels} {value}");
            }
        };
        add("requests_total", "counter", "Responses, by HTTP status.", &responses);
        let count = |count: u64| one(count.to_string());
        add("tls_errors_total", "counter", "Handshakes that failed.", &count(counts.tls_errors));
        add("http_errors_total", "counter", "Connections that failed.", &count(counts.http_errors));
        add("connections", "gauge", "Connections that are open.", &count(counts.connections));
        let sequence = count(bundle.sequence().unwrap_or(0));
        add("sequence", "gauge", "Sequence number, 0 without one.", &sequence);
        add("roots", "gauge", "Roots.", &one(bundle.roots().len().to_string()));
        let name = "earliest_root_expiry_timestamp_seconds";
        add(name, "gauge", "When the first root expires.", time(expiry).as_slice());
        let name = "certificate_expiry_timestamp_seconds";
        let help = "When the certificate of the server expires.";
        add(name, "gauge", help, time(certificate_until).as_slice());
        let help = "Times that new content of a file was refused.";
        add("reload_failures_total", "counter", help, &per_file(|reloads| reloads.failures));
        let help = "Whether a file has content that was refused.";
        add("reload_refused", "gauge", help, &per_file(|reloads| reloads.is_refused.into()));
        let help = "When content was taken over last.";
        add("last_reload_timestamp_seconds", "gauge", help, &one(counts.reloaded.0.to_string()));
        text
    }
}

impl Counts {
    const fn of(&mut self, file: ReloadedFile) -> &mut Reloads {
        match file {
            ReloadedFile::Bundle => &mut self.bundle,
            ReloadedFile::Certificate => &mut self.certificate,
        }
    }
}
