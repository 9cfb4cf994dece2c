//! The machine's side towards tools: a few at once, results in the order of the calls.

use std::sync::Arc;

use super::effect::Effect;
use super::event::{Place, Setup};
use super::state::{Phase, Progress, Slot};
use super::{Machine, ToolEnding, ToolResult, clip};
use crate::message::{Message, Tool};

impl Machine {
    /// Commit what is over, start what may start, and go on when all is committed.
    pub(super) fn proceed(&mut self, out: &mut Vec<Effect>) {
        let Some(setup) = self.state.setup.clone() else {
            return;
        };
        self.commit_finished(&setup, out);
        self.launch(&setup, out);
        let done = matches!(&self.state.phase,
            Phase::Acting { slots, committed } if *committed == slots.len());
        if done {
            self.next_iteration(out);
        }
    }

    /// The results that are there without a gap, from the first that is not committed.
    fn commit_finished(&mut self, setup: &Arc<Setup>, out: &mut Vec<Effect>) {
        while let Some((place, slot)) = self.next_to_commit() {
            let Progress::Finished { result } = &slot.progress else {
                return;
            };
            self.commit_result(place, &slot, result, setup, out);
            if let Phase::Acting { committed, .. } = &mut self.state.phase {
                *committed += 1;
            }
        }
    }

    fn next_to_commit(&self) -> Option<(Place, Slot)> {
        let Phase::Acting { slots, committed } = &self.state.phase else {
            return None;
        };
        let slot = slots.get(*committed)?;
        let place = Place {
            iteration: self.state.iteration,
            index: *committed,
        };
        slot.progress.is_finished().then(|| (place, slot.clone()))
    }

    fn commit_result(
        &mut self,
        place: Place,
        slot: &Slot,
        result: &ToolResult,
        setup: &Setup,
        out: &mut Vec<Effect>,
    ) {
        let content = clip(&result.content, setup.limits.output_chars);
        self.commit(
            Message::tool(&slot.call, &content, result.ending.is_failure()),
            out,
        );
        let trusted = tool(setup, &slot.call.name).is_some_and(|tool| tool.trusted);
        if result.ending.has_output() && !trusted {
            self.state.tainted = true;
            out.push(Effect::Taint {
                place,
                tool: slot.call.name.clone(),
            });
        }
    }

    /// Ask for as many queued calls as there are places, in order.
    fn launch(&mut self, setup: &Setup, out: &mut Vec<Effect>) {
        let iteration = self.state.iteration;
        let Phase::Acting { slots, .. } = &mut self.state.phase else {
            return;
        };
        let busy = slots.iter().filter(|slot| slot.progress.is_busy()).count();
        let free = setup.limits.calls_at_once.max(1).saturating_sub(busy);
        let queued = slots
            .iter_mut()
            .enumerate()
            .filter(|(_, slot)| slot.progress == Progress::Queued);
        for (index, slot) in queued.take(free) {
            slot.progress = Progress::Asked;
            let place = Place { iteration, index };
            out.push(run(place, slot, setup));
        }
    }

    fn slot(&mut self, place: Place) -> Option<&mut Slot> {
        let iteration = self.state.iteration;
        match &mut self.state.phase {
            Phase::Acting { slots, .. } if place.iteration == iteration => {
                slots.get_mut(place.index)
            }
            Phase::Acting { .. }
            | Phase::New
            | Phase::Asking { .. }
            | Phase::Summarising { .. }
            | Phase::Waiting { .. }
            | Phase::Ended(_) => None,
        }
    }

    pub(super) fn tool_started(&mut self, place: Place, record: String) {
        if let Some(slot) = self.slot(place)
            && slot.progress == Progress::Asked
        {
            slot.progress = Progress::Running { record };
        }
    }

    pub(super) fn tool_finished(
        &mut self,
        place: Place,
        result: ToolResult,
        out: &mut Vec<Effect>,
    ) {
        if let Some(slot) = self.slot(place)
            && slot.progress.is_busy()
        {
            slot.progress = Progress::Finished { result };
            self.proceed(out);
        }
    }

    pub(super) fn tool_held(&mut self, place: Place, reason: String, out: &mut Vec<Effect>) {
        if let Some(slot) = self.slot(place)
            && slot.progress.is_busy()
        {
            slot.progress = Progress::Held {
                reason: reason.clone(),
            };
            let call = slot.call.clone();
            out.push(Effect::AskApproval {
                place,
                call,
                reason,
            });
            self.proceed(out);
        }
    }

    pub(super) fn tool_untouched(&mut self, place: Place, out: &mut Vec<Effect>) {
        if let Some(slot) = self.slot(place)
            && slot.progress.is_busy()
        {
            slot.progress = Progress::Queued;
            self.proceed(out);
        }
    }

    pub(super) fn approved(&mut self, place: Place, by: String, out: &mut Vec<Effect>) {
        if let Some(slot) = self.slot(place)
            && matches!(slot.progress, Progress::Held { .. })
        {
            slot.progress = Progress::Queued;
            slot.approved_by = Some(by);
            self.proceed(out);
        }
    }

    pub(super) fn refused(&mut self, place: Place, by: &str, reason: &str, out: &mut Vec<Effect>) {
        if let Some(slot) = self.slot(place)
            && matches!(slot.progress, Progress::Held { .. })
        {
            let result = ToolResult {
                ending: ToolEnding::Denied,
                content: format!("not run: refused by {by}: {reason}"),
                output_sha256: None,
            };
            slot.progress = Progress::Finished { result };
            self.proceed(out);
        }
    }

    /// The run ends: each call gets a result, so that the conversation stays whole.
    pub(super) fn abandon(
        &mut self,
        slots: Vec<Slot>,
        committed: usize,
        reason: &str,
        out: &mut Vec<Effect>,
    ) {
        let Some(setup) = self.state.setup.clone() else {
            return;
        };
        for (index, slot) in slots.iter().enumerate().skip(committed) {
            let place = Place {
                iteration: self.state.iteration,
                index,
            };
            if slot.progress.is_busy() {
                out.push(Effect::StopTool { place });
            }
            let result = result_at_end(&slot.progress, reason);
            self.commit_result(place, slot, &result, &setup, out);
        }
    }

    /// Calls that were asked for and never begun are asked for again; of those that had
    /// begun, only tools that may run twice. Of the others the ledger knows.
    pub(super) fn tools_resumed(&mut self, out: &mut Vec<Effect>) {
        let Some(setup) = self.state.setup.clone() else {
            return;
        };
        let iteration = self.state.iteration;
        let Phase::Acting { slots, .. } = &mut self.state.phase else {
            return;
        };
        for (index, slot) in slots.iter_mut().enumerate() {
            let place = Place { iteration, index };
            let again = match &slot.progress {
                Progress::Queued | Progress::Finished { .. } => continue,
                Progress::Asked => run(place, slot, &setup),
                Progress::Running { record } if !may_repeat(&setup, slot) => Effect::RecoverTool {
                    place,
                    record: record.clone(),
                },
                Progress::Running { .. } => {
                    slot.progress = Progress::Asked;
                    run(place, slot, &setup)
                }
                Progress::Held { reason } => Effect::AskApproval {
                    place,
                    call: slot.call.clone(),
                    reason: reason.clone(),
                },
            };
            out.push(again);
        }
    }
}

fn tool<'a>(setup: &'a Setup, name: &str) -> Option<&'a Tool> {
    setup.tools.iter().find(|tool| tool.name == name)
}

fn may_repeat(setup: &Setup, slot: &Slot) -> bool {
    tool(setup, &slot.call.name).is_some_and(|tool| tool.repeatable)
}

fn run(place: Place, slot: &Slot, setup: &Setup) -> Effect {
    Effect::RunTool {
        place,
        call: slot.call.clone(),
        wall_ms: setup.limits.tool_wall_ms,
        approved_by: slot.approved_by.clone(),
    }
}

fn result_at_end(progress: &Progress, reason: &str) -> ToolResult {
    let (ending, content) = match progress {
        Progress::Finished { result } => return result.clone(),
        Progress::Queued | Progress::Asked | Progress::Held { .. } => (
            ToolEnding::NotRun,
            format!("not run: the run was cancelled: {reason}"),
        ),
        Progress::Running { .. } => (
            ToolEnding::Interrupted,
            format!("stopped: the run was cancelled: {reason}"),
        ),
    };
    ToolResult {
        ending,
        content,
        output_sha256: None,
    }
}
