//! `cargo xtask fuzz`: runs every target for some minutes, with libFuzzer if it can be built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tests::fuzz::{self, TARGETS, Target, corpus};
use tests::shared;

mod blind;

/// Number of findings after which a target is stopped; more of them rarely help.
const ENOUGH: usize = 5;
/// Wall-clock time after which an input counts as hanging; processor time is limited to a second (`fuzz/fuzz.rs`).
const HANGS: Duration = Duration::from_secs(60);
/// Size limit of an input, in bytes.
const LONGEST: usize = 32 << 10;

/// The options.
struct Asked {
    minutes: f64,
    jobs: usize,
    targets: Vec<&'static Target>,
    blind: bool,
}

/// The result of a target.
struct Outcome {
    target: &'static Target,
    /// The last line of progress.
    said: String,
    /// Processor time, user and system.
    spent: Duration,
    findings: Vec<PathBuf>,
}

/// Runs the command line; an error if there are findings.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["--replay", name, files @ ..] if !files.is_empty() => return replay(name, files),
        ["--in-process", name, seconds, seed] => return blind::run(named(name)?, seconds, seed),
        _ => {}
    }
    let asked = options(args)?;
    let program = if asked.blind { None } else { built() };
    if program.is_none() {
        println!("running without libFuzzer: structured mutations, not guided by coverage");
    }
    let start = Instant::now();
    let share = Duration::from_secs_f64(asked.minutes * 60.0)
        * u32::try_from(asked.jobs).unwrap_or(1)
        / u32::try_from(asked.targets.len()).unwrap_or(1);
    let queue = Mutex::new(asked.targets.into_iter());
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some(target) = next else { return };
            let outcome = fuzzed(target, program.as_deref(), share);
            println!("{}", outcome.line());
            if let Ok(mut done) = done.lock() {
                done.push(outcome);
            }
        }
    };
    std::thread::scope(|scope| (0..asked.jobs).for_each(|_| drop(scope.spawn(work))));
    let done = done.into_inner().unwrap_or_default();
    let spent: Duration = done.iter().map(|outcome| outcome.spent).sum();
    println!(
        "{} targets, {:.0?} wall-clock time, {:.1} minutes of processor time",
        done.len(),
        start.elapsed(),
        minutes(spent)
    );
    let found: Vec<String> = done.iter().flat_map(Outcome::found).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("{} findings; to see each, run\n{}", found.len(), found.join("\n")))
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

fn named(name: &str) -> Result<&'static Target, String> {
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    fuzz::named(name)
        .ok_or_else(|| format!("`{name}` is not a target; the targets are {}", names()))
}

fn options(args: &[&str]) -> Result<Asked, String> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut asked = Asked { minutes: 10.0, jobs, targets: Vec::new(), blind: false };
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let mut value = || args.next().copied().ok_or_else(|| format!("{option} needs a value"));
        let positive = |text: &str| match text.parse::<f64>() {
            Ok(number) if number > 0.0 && number < 1e6 => Ok(number),
            _ => Err(format!("{option} {text}: expected a positive number")),
        };
        match *option {
            "--minutes" => asked.minutes = positive(value()?)?,
            "--jobs" => asked.jobs = (positive(value()?)? as usize).max(1),
            "--target" => asked.targets.push(named(value()?)?),
            "--blind" => asked.blind = true,
            other => return Err(format!("unknown option `{other}`")),
        }
    }
    if asked.targets.is_empty() {
        asked.targets = TARGETS.iter().collect();
    }
    Ok(asked)
}

/// Runs a target on files, in this process, to examine findings.
fn replay(name: &str, files: &[&str]) -> Result<(), String> {
    let target = named(name)?;
    for file in files {
        let data = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let start = Instant::now();
        (target.run)(&data);
        println!("{file}: {} bytes, {:.1?}", data.len(), start.elapsed());
    }
    Ok(())
}

/// The targets built with libFuzzer. Only this repository's crates are instrumented (`fuzz/rustc.sh`).
fn built() -> Option<PathBuf> {
    let root = shared::root();
    let build = target_dir().join("fuzz/build");
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(&root)
        .args(["build", "--locked", "--manifest-path", "fuzz/Cargo.toml"])
        .env("RUSTC_WRAPPER", root.join("fuzz/rustc.sh"))
        .env("CARGO_TARGET_DIR", &build);
    let program = build.join("debug/fuzz");
    command.status().is_ok_and(|status| status.success() && program.exists()).then_some(program)
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| shared::root().join("target"), PathBuf::from)
}

/// Where a run keeps its files: initial inputs, inputs that reached new code, findings.
fn folder(kind: &str, target: &Target) -> PathBuf {
    target_dir().join("fuzz").join(kind).join(target.name)
}

fn made(path: PathBuf) -> PathBuf {
    fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

fn entries(path: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

/// Runs a target until its time is up or it has enough findings. A finding ends the process, which is then restarted.
fn fuzzed(target: &'static Target, program: Option<&Path>, share: Duration) -> Outcome {
    let findings = made(folder("findings", target));
    let before = entries(&findings);
    let mut outcome =
        Outcome { target, said: String::new(), spent: Duration::ZERO, findings: Vec::new() };
    if program.is_some() {
        write_seeds(target);
    }
    let start = Instant::now();
    for round in 0..ENOUGH {
        let left = share.saturating_sub(start.elapsed()).as_secs();
        if left == 0 && round > 0 {
            break;
        }
        let seconds = left.max(1);
        let command = match program {
            Some(program) => guided(target, program, seconds),
            None => blind::command(target, seconds, round),
        };
        let log = made(target_dir().join("fuzz/logs")).join(target.name);
        let is_good =
            ended(command, &log, Duration::from_secs(seconds) + HANGS * 2, &mut outcome.spent);
        outcome.said = last_word(&log);
        let known = outcome.findings.len();
        let new = entries(&findings).into_iter().filter(|path| !before.contains(path));
        outcome.findings = new.collect();
        if !is_good && outcome.findings.len() == known {
            // It failed without leaving an input: the log says why.
            outcome.findings.push(log);
            break;
        }
    }
    outcome
}

/// libFuzzer's command line (`llvm.org/docs/LibFuzzer.html`).
fn guided(target: &Target, program: &Path, seconds: u64) -> Command {
    let mut command = Command::new(program);
    command
        .arg(made(folder("corpus", target)))
        .arg(folder("seeds", target))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={}", HANGS.as_secs()))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-artifact_prefix={}/", folder("findings", target).display()))
        .args(["-rss_limit_mb=2048", "-print_final_stats=1", "-reload=0", "-verbosity=1"])
        .env("MESH_FUZZ_TARGET", target.name);
    if let Some(name) = target.dictionary() {
        let path = shared::root().join("fuzz/dictionaries").join(name).with_extension("dict");
        command.arg(format!("-dict={}", path.display()));
    }
    command
}

fn write_seeds(target: &'static Target) {
    let folder = made(folder("seeds", target));
    for (i, seed) in
        corpus::seeds(target).iter().enumerate().filter(|(_, seed)| seed.len() <= LONGEST)
    {
        let path = folder.join(i.to_string());
        fs::write(&path, seed).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Runs a process for at most `limit`, with its standard error in a file, and adds its processor time. Returns whether
/// it succeeded.
fn ended(mut command: Command, log: &Path, limit: Duration, spent: &mut Duration) -> bool {
    let file = fs::File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    let scratch = Path::new("/dev/shm");
    if scratch.is_dir() {
        // The targets write small files and remove them again; do that in memory.
        command.env("TMPDIR", scratch);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stat = PathBuf::from(format!("/proc/{}/stat", child.id()));
    let start = Instant::now();
    // The record disappears with the process, so keep the last time seen.
    let mut last = Duration::ZERO;
    let status = loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => break Some(status),
            Err(_) => break None,
        }
        last = cpu(&stat).unwrap_or(last);
        if start.elapsed() > limit {
            // It has ended, or ends now; either way, the next `try_wait` ends the loop.
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    *spent += last;
    status.is_some_and(|status| status.success())
}

/// The last line of progress, `#RUNS ...`, of libFuzzer or of the loop that replaces it.
fn last_word(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let is_progress = |line: &&str| {
        line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    text.lines().rfind(is_progress).unwrap_or_default().trim().to_owned()
}

/// User and system time of a process and of the children that it waited for (`proc(5)`: fields 14 to 17, hundredths of a second).
fn cpu(stat: &Path) -> Option<Duration> {
    let text = fs::read_to_string(stat).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis(ticks.sum::<u64>() * 10))
}

impl Outcome {
    fn line(&self) -> String {
        format!(
            "{:<12} {:>6.1} min  {}  {}",
            self.target.name,
            minutes(self.spent),
            self.said,
            match self.findings.len() {
                0 => String::new(),
                n => format!("{n} FOUND"),
            }
        )
    }

    /// The command that shows each finding.
    fn found(&self) -> Vec<String> {
        let show = |path: &PathBuf| {
            format!("  cargo xtask fuzz --replay {} {}", self.target.name, path.display())
        };
        self.findings.iter().map(show).collect()
    }
}
