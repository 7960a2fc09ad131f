//! One side of a simulated connection, which follows its script and answers what it is told.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_proto::hybi00;
use tidegate_proto::{ControlFrame, Decoder, Limits, MaskingKey, Opcode, Reserved, Role, StepKind};
use tokio::time::Instant;

use super::choices::Choices;
use super::plan::{Act, Pace, Script};
use crate::io::simulated::{Ending, Peer};

/// What a side makes of the bytes that it is sent, as far as it has to answer them.
#[derive(Debug)]
pub(super) enum Ears {
    /// They are a stream: it hears nothing in them.
    Stream,
    Frames(Role, Box<Decoder>),
    Hybi00(hybi00::Decoder),
}

#[derive(Debug)]
pub(super) struct Side {
    peer: Peer,
    ears: Ears,
    acts: VecDeque<Act>,
    answers_pings: bool,
    answers_ends: bool,
    goes_on: bool,
    pace: Pace,
    /// What it reads at once where it takes less than there is.
    sip: usize,
    /// What it wants to say just now.
    out: VecDeque<u8>,
    /// What it has begun to say is not at its end.
    mid_word: bool,
    /// Control frames that wait for that.
    answers: Vec<u8>,
    rests_until: Option<Instant>,
    reads_after: Option<Instant>,
    /// Bytes of `received` that the ears have heard.
    heard: usize,
    pub(super) record: Record,
}

/// What came of a side.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) sent: Vec<u8>,
    pub(super) received: Vec<u8>,
    /// How it has ended its direction.
    pub(super) ended: Option<Ending>,
    /// By its own will, and not because the gateway had.
    pub(super) ended_itself: bool,
    /// How the gateway has.
    pub(super) gateway_ended: Option<Ending>,
    pub(super) heard_close: bool,
    /// It reads at once whatever comes, and has done so from the beginning.
    pub(super) is_prompt: bool,
    /// It answers all that has to be answered.
    pub(super) is_polite: bool,
    /// It has rested in the middle of a word while it owed an answer.
    pub(super) is_late: bool,
}

impl Ears {
    pub(super) fn frames(role: Role) -> Self {
        let decoder = Decoder::new(role, Limits::NONE).with_reserved(Reserved::PermessageDeflate);
        Self::Frames(role, Box::new(decoder))
    }

    pub(super) fn hybi00(coding: hybi00::Coding) -> Self {
        Self::Hybi00(hybi00::Decoder::new(coding, Limits::NONE))
    }
}

impl Side {
    /// A side with this script, and what it has said before the relay begins.
    pub(super) fn new(peer: Peer, ears: Ears, script: &Script) -> (Self, Vec<u8>) {
        let mut acts: VecDeque<_> = script.acts.iter().cloned().collect();
        let mut early = Vec::new();
        if let Some(Act::Say(bytes) | Act::Begin(bytes)) = acts.front_mut() {
            early = bytes.drain(..script.early.min(bytes.len())).collect();
        }
        let record = Record {
            sent: early.clone(),
            is_prompt: script.pace == Pace::Prompt,
            is_polite: script.answers_pings && script.answers_ends,
            ..Record::default()
        };
        let mid_word = !early.is_empty(); // its rest is an act that comes
        let side = Self {
            peer,
            ears,
            acts,
            answers_pings: script.answers_pings,
            answers_ends: script.answers_ends,
            goes_on: script.goes_on,
            pace: script.pace,
            sip: (script.capacities[1] / 8).max(1),
            out: VecDeque::new(),
            mid_word,
            answers: Vec::new(),
            rests_until: None,
            reads_after: None,
            heard: 0,
            record,
        };
        (side, early)
    }

    /// These bytes, the first that it was to say, are said in the ordinary way.
    pub(super) fn unsay(&mut self, early: Vec<u8>) {
        self.record.sent.clear();
        self.out.extend(early);
    }

    pub(super) fn seen(&self) -> [u64; 3] {
        self.peer.seen()
    }

    /// When it goes on by itself.
    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        let resting = self.rests_until.filter(|_| !self.acts.is_empty());
        let reading = self.reads_after.filter(|_| self.peer.has_bytes());
        resting.into_iter().chain(reading).filter(|at| *at > now).min()
    }

    /// Does one thing, if there is anything to do.
    pub(super) fn step(&mut self, now: Instant, choices: &mut Choices<'_>) -> bool {
        let reads_first = choices.once_in(2);
        (reads_first && self.read(now, choices))
            || self.go_on(now)
            || (!reads_first && self.read(now, choices))
    }

    fn read(&mut self, now: Instant, choices: &mut Choices<'_>) -> bool {
        if self.record.ended == Some(Ending::Reset) {
            return false;
        }
        let len_max = match self.pace {
            Pace::Never => return false,
            Pace::Prompt => choices.of(&[usize::MAX, self.sip]),
            Pace::Slow(..) if self.reads_after.is_some_and(|after| now < after) => return false,
            Pace::Slow(len, rest) => {
                self.reads_after = Some(now + Duration::from_millis(rest));
                len
            }
        };
        let bytes = self.peer.read(len_max);
        if !bytes.is_empty() {
            self.record.received.extend(bytes);
            self.listen(choices);
            return true;
        }
        if self.record.gateway_ended.is_some() {
            return false;
        }
        self.record.gateway_ended = self.peer.ended();
        if self.record.gateway_ended.is_some() && self.answers_ends && self.record.ended.is_none() {
            if matches!(self.ears, Ears::Stream) && self.goes_on {
                self.acts.push_back(Act::End(Ending::Fin));
            } else {
                self.end(Ending::Fin);
            }
        }
        self.record.gateway_ended.is_some()
    }

    fn go_on(&mut self, now: Instant) -> bool {
        if self.record.ended.is_some() {
            return false;
        }
        if !self.mid_word && self.out.is_empty() && !self.answers.is_empty() {
            self.out.extend(self.answers.drain(..));
        }
        if !self.out.is_empty() {
            return match self.peer.write(&mut self.out) {
                None => {
                    self.end(Ending::Fin);
                    true
                }
                Some(taken) => {
                    self.record.sent.extend(&taken);
                    !taken.is_empty()
                }
            };
        }
        if self.rests_until.is_some_and(|until| now < until) {
            self.record.is_late |= !self.answers.is_empty();
            return false;
        }
        self.rests_until = None;
        let Some(act) = self.acts.pop_front() else { return false };
        self.mid_word = match act {
            Act::Begin(_) => true,
            Act::Say(_) => false,
            Act::Rest(_) | Act::Pace(_) | Act::End(_) => self.mid_word,
        };
        match act {
            Act::Say(bytes) | Act::Begin(bytes) => self.out.extend(bytes),
            Act::Rest(rest) => self.rests_until = Some(now + rest),
            Act::Pace(pace) => {
                self.pace = pace;
                self.record.is_prompt &= pace == Pace::Prompt;
            }
            Act::End(ending) => {
                self.record.ended_itself = self.record.gateway_ended.is_none();
                self.end(ending);
            }
        }
        true
    }

    fn end(&mut self, ending: Ending) {
        self.peer.end(ending);
        self.record.ended = Some(ending);
        self.acts.clear();
        self.out.clear();
    }

    /// Hears control frames, and prepares what they are answered with.
    fn listen(&mut self, choices: &mut Choices<'_>) {
        match &mut self.ears {
            Ears::Stream => {}
            Ears::Hybi00(decoder) => {
                let mut bytes = self.record.received[self.heard..].to_vec();
                self.heard = self.record.received.len();
                let mut at = 0;
                while let Ok(Some((consumed, event))) = decoder.decode(&mut bytes[at..]) {
                    at += consumed;
                    if event == hybi00::Event::Close {
                        return self.closed(&hybi00::CLOSING_FRAME);
                    }
                }
            }
            Ears::Frames(role, decoder) => {
                let role = *role;
                while let Ok(Some(step)) = decoder.step(&self.record.received[self.heard..]) {
                    let frame = self.heard..self.heard + step.len();
                    let mut payload = self.record.received[frame.start + step.header_len..frame.end].to_vec();
                    self.heard = frame.end;
                    if let Some(mut key) = step.mask {
                        key.apply(&mut payload);
                    }
                    let own = (role == Role::Client).then(|| MaskingKey::new([choices.below(256) as u8; 4]));
                    let answer = |opcode| ControlFrame::new(opcode, &payload, own).as_slice().to_vec();
                    match step.kind {
                        StepKind::Close => return self.closed(&answer(Opcode::Close)),
                        StepKind::Ping if self.answers_pings => self.answers.extend(answer(Opcode::Pong)),
                        StepKind::Ping | StepKind::Pong | StepKind::Data { .. } => {}
                    }
                }
            }
        }
    }

    /// It has heard a Close: it answers, and says nothing more.
    fn closed(&mut self, answer: &[u8]) {
        self.record.heard_close = true;
        if self.answers_ends {
            let is_last = |act: &Act| matches!(act, Act::Say(_));
            let rest_of_word = self.acts.iter().position(is_last).filter(|_| self.mid_word);
            self.acts.truncate(rest_of_word.map_or(0, |at| at + 1));
            self.mid_word = rest_of_word.is_some();
            self.answers.extend_from_slice(answer);
        }
    }
}
