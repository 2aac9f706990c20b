//! `meshctl rotate root next` and `abort`: what was decided, written.

use std::collections::BTreeMap;

use meshpki::rotation::{RotationBlock, RotationDecision, RotationMove, RotationPhase};
use tokio::runtime::Runtime;

use super::read::{Ask, Situation};
use super::{planner, text};
use crate::args::{Rollout, RootAbort, RootGoal, RootNext, RootStrategy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::runtime;
use crate::io::Io;
use crate::rollout::{Job, Options, Restart, Rotation, can_agree, look_apart};

/// Code of the gate that proxies close.
const GATE: &str = "ctl/drop-gate";

/// One run.
struct Run<'a> {
    goal: &'a RootGoal,
    rollout: &'a Rollout,
    /// `next` or `abort`.
    name: &'static str,
    distrust: bool,
    runtime: Runtime,
}

pub(super) fn next(args: &RootNext, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let (goal, rollout) = (&args.goal, &args.rollout);
    Run { goal, rollout, name: "next", distrust: args.distrust, runtime: runtime()? }.run(io)
}

pub(super) fn abort(args: &RootAbort, io: &mut Io<'_>) -> Result<Exit, Failure> {
    // There may be no bridge for the way back.
    let goal = RootGoal { strategy: RootStrategy::Auto, ..args.goal.clone() };
    Run { goal: &goal, rollout: &args.rollout, name: "abort", distrust: false, runtime: runtime()? }
        .run(io)
}

impl Run<'_> {
    /// The canary alone, then the others, a few at a time. Before each write everything is read and decided again: what
    /// another run or a proxy has done meanwhile counts.
    fn run(&self, io: &mut Io<'_>) -> Result<Exit, Failure> {
        let mut options = self.options();
        can_agree(&options, io)?;
        let situation = self.read(io)?;
        let decision = self.decide(&situation);
        if decision.moves.is_empty() {
            return self.nothing(&situation, &decision, options.json, io);
        }
        self.show(&situation, &decision, options.json, io)?;
        if options.dry_run.is_some() {
            return self.push(situation, decision.moves, &options, io);
        }
        let rejected = situation.rejected();
        let mut agreed = agreed(&situation, &decision);
        let mut wave = decision.moves;
        wave.truncate(1);
        let mut situation = situation;
        loop {
            for one in &wave {
                agreed.remove(situation.name(one.cluster));
            }
            let done = self.push(situation, wave, &options, io)?;
            if done != Exit::Good || agreed.is_empty() {
                return self.end(done, &options, io);
            }
            // The user has agreed to these.
            options.yes = true;
            situation = self.read(io)?;
            if !self.forces() {
                refuse_rejections(&situation.rejected_since(&rejected))?;
            }
            wave = self.decide(&situation).moves;
            let is_agreed = |one: &RotationMove| {
                agreed.get(situation.name(one.cluster)).is_some_and(|to| one.to <= *to)
            };
            wave.retain(is_agreed);
            wave.truncate(options.parallel);
            if wave.is_empty() {
                return self.end(done, &options, io);
            }
        }
    }

    /// Names the command that takes the next phase, or finds that there is none.
    fn end(&self, done: Exit, options: &Options, io: &mut Io<'_>) -> Result<Exit, Failure> {
        if done == Exit::Good && !options.json {
            io.print(&format!("\nnext: {}\n", text::command(self.name, self.goal)))?;
        }
        Ok(done)
    }

    fn options(&self) -> Options {
        let mut options = self.rollout.resolved();
        if options.restart == Restart::Auto {
            options.restart = Restart::Istiod;
        }
        if self.distrust {
            options.restart = Restart::Always;
            // That is what was asked for, and what it breaks is shown.
            options.force.push("istiod/root-replaced".to_owned());
        }
        options
    }

    fn forces(&self) -> bool {
        self.rollout.force.iter().any(|code| code == GATE)
    }

    fn read(&self, io: &mut Io<'_>) -> Result<Situation, Failure> {
        let mut ask = Ask::new(self.goal, &self.rollout.force)?;
        ask.selection = self.goal.clusters.for_rollout(self.rollout)?;
        ask.back = self.name == "abort";
        let mut situation = Situation::read(&ask, &self.runtime, io)?;
        let clock = |failure: &Failure| failure.code() == "ctl/clock-differs";
        if let Some(index) = situation.failures.iter().position(clock) {
            return Err(situation.failures.swap_remove(index).exit(Exit::No));
        }
        Ok(situation)
    }

    fn decide(&self, situation: &Situation) -> RotationDecision {
        let planner = planner(situation, self.goal).with_closed_gates(self.forces());
        let members = situation.members();
        if self.distrust { planner.at_once(&members) } else { planner.decide(&members) }
    }

    /// What is done now, and loudly, what it breaks.
    fn show(
        &self,
        situation: &Situation,
        decision: &RotationDecision,
        json: bool,
        io: &mut Io<'_>,
    ) -> Result<(), Failure> {
        for failure in &situation.failures {
            io.fail(failure);
        }
        if !decision.overridden.is_empty() {
            io.warn(&overridden(situation, &decision.overridden));
        }
        if json {
            return Ok(());
        }
        io.print(&format!(
            "{}\n{}\n",
            text::heading(situation),
            text::groups(situation, &decision.moves)
        ))
    }

    /// Nothing can be pushed now.
    fn nothing(
        &self,
        situation: &Situation,
        decision: &RotationDecision,
        json: bool,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        let command = text::command(self.name, self.goal);
        if json {
            io.print(&crate::text::json_line(&super::json::status(situation, decision)))?;
        } else {
            io.print(&text::status(situation, decision, &command))?;
        }
        for failure in &situation.failures {
            io.fail(failure);
        }
        Ok(match () {
            () if !situation.failures.is_empty() => Exit::Failed,
            () if decision.is_done() || decision.wakes().is_some() => Exit::Good,
            () => Exit::No,
        })
    }

    /// Pushes to the clusters of these moves.
    fn push(
        &self,
        situation: Situation,
        moves: Vec<RotationMove>,
        options: &Options,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        let mut secrets: BTreeMap<String, _> = BTreeMap::new();
        let rotation = Some(Rotation { own_cas: situation.own_cas(&moves) });
        for one in moves {
            secrets.insert(situation.clusters[one.cluster].name.clone(), one.secret);
        }
        let others = situation.clusters.into_iter();
        let others = others.filter(|one| !secrets.contains_key(&one.name));
        let others = others.map(|one| (one.name, one.live)).collect();
        let mut targets = situation.targets;
        targets.retain(|target| secrets.contains_key(&target.name));
        self.runtime.block_on(async {
            let (seen, twins) = look_apart(&targets, &options.force).await?;
            let secrets =
                targets.iter().filter_map(|target| secrets.remove(&target.name)).collect();
            let job = Job { targets, seen, twins, others: Some(others), rotation, options };
            job.run(secrets, io).await
        })
    }
}

/// What the user sees before the question: each cluster, and how far it goes.
fn agreed(situation: &Situation, decision: &RotationDecision) -> BTreeMap<String, RotationPhase> {
    let moves = decision.moves.iter();
    moves.map(|one| (situation.name(one.cluster).to_owned(), one.to)).collect()
}

/// Stops before the other clusters if proxies have begun to reject certificates.
fn refuse_rejections(more: &[(&str, u64)]) -> Result<(), Failure> {
    if more.is_empty() {
        return Ok(());
    }
    let message = "proxies have rejected certificates since this run began";
    let failure = Failure::new(GATE, message)
        .hint("nothing further was written; find out whether these calls are the mesh's own, then run the same command again; `--force ctl/drop-gate` continues")
        .exit(Exit::No);
    let line =
        |(name, count): &(&str, u64)| format!("{name}: {count} more in `ssl.fail_verify_error`");
    Err(more.iter().map(line).fold(failure, Failure::because))
}

/// What is done although it breaks something.
fn overridden(situation: &Situation, blocks: &[RotationBlock]) -> Failure {
    let message = "proxies will reject each other until they have renewed or restarted";
    let mut lines = text::block_lines(situation, blocks);
    lines.sort();
    lines.into_iter().fold(Failure::new(GATE, message), Failure::because)
}
