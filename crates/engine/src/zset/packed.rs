//! Small sorted sets: member and score in turns, in the order of the scores.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::{Scored, order};
use crate::packed::{self, Encoded, HEADER_BYTES, Packed};

/// How many members the run has.
#[inline]
pub(super) fn len(run: Packed<'_>) -> usize {
    run.len() / 2
}

/// The score at offset `at`.
#[inline]
fn score_at(run: Packed<'_>, at: usize) -> f64 {
    run.element_at(at).number().unwrap_or(0.0)
}

/// The offset of `member`, and its score.
#[inline]
pub(super) fn find(run: Packed<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let at = run.find(&Encoded::of(member), HEADER_BYTES, 2)?;
    Some((at, score_at(run, run.next_at(at))))
}

/// The member at offset `at`.
#[inline]
pub(super) fn member_at(run: Packed<'_>, at: usize) -> Scored<'_> {
    Scored { name: run.element_at(at), score: score_at(run, run.next_at(at)) }
}

/// Goes through the members with their offsets, until `visit` breaks off.
fn walk<'p, B>(
    run: Packed<'p>,
    mut visit: impl FnMut(usize, Scored<'p>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut at = HEADER_BYTES;
    while at < run.end() {
        visit(at, member_at(run, at))?;
        at = run.next_at(run.next_at(at));
    }
    ControlFlow::Continue(())
}

/// How many members, from the first on, `before` holds for.
pub(super) fn partition(run: Packed<'_>, mut before: impl FnMut(f64, &[u8]) -> bool) -> usize {
    let mut n = 0;
    let mut digits = itoa::Buffer::new();
    let _ = walk(run, |_, member| {
        if !before(member.score, member.name.bytes(&mut digits)) {
            return ControlFlow::Break(());
        }
        n += 1;
        ControlFlow::Continue(())
    });
    n
}

/// The offset where a member with its score belongs, as if the one at offset `skip` were not there.
pub(super) fn gap(run: Packed<'_>, (score, name): (f64, &[u8]), skip: Option<usize>) -> usize {
    let mut digits = itoa::Buffer::new();
    let behind = walk(run, |at, there| {
        if Some(at) == skip || there.score < score {
            return ControlFlow::Continue(());
        }
        match order((there.score, there.name.bytes(&mut digits)), (score, name)).is_gt() {
            true => ControlFlow::Break(at),
            false => ControlFlow::Continue(()),
        }
    });
    behind.break_value().unwrap_or(run.end())
}

/// Bytes that a member and its score take at most.
pub(super) fn size(member: &[u8]) -> usize {
    member.len() + 14
}

/// A member and its score as they stand in the run.
pub(super) fn pair(member: &[u8], score: f64) -> SmallVec<[u8; 88]> {
    let mut pair = SmallVec::new();
    packed::push(&mut pair, member);
    packed::push_number(&mut pair, score);
    pair
}

/// The run of `members`, which are few and in order.
pub(super) fn run<'m>(members: impl Iterator<Item = (&'m [u8], f64)>) -> Vec<u8> {
    let mut bytes = packed::EMPTY.to_vec();
    let mut count = 0;
    for (member, score) in members {
        packed::push(&mut bytes, member);
        packed::push_number(&mut bytes, score);
        count += 2;
    }
    packed::count_elements(&mut bytes, count);
    bytes
}

/// The members of a run and their scores: what a large set is made of.
pub(super) fn sorted(run: Packed<'_>) -> Vec<(SmallVec<[u8; 32]>, f64)> {
    let mut members = Vec::with_capacity(len(run) + 1);
    let _ = walk(run, |_, member| {
        members.push((SmallVec::from_slice(member.name.bytes(&mut itoa::Buffer::new())), member.score));
        ControlFlow::<()>::Continue(())
    });
    members
}
