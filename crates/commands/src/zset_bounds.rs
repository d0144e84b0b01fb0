//! Ranges of sorted sets: by position, by score, and by the bytes of members.

use std::ops::Range;

use engine::ZSet;

use crate::error::Error;
use crate::long_double::LongDouble;
use crate::number::int;

/// What a range is given by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Indexes, which count from the end when they are negative.
    Index,
    /// Scores.
    Score,
    /// Members, in a set whose scores are all equal.
    Lex,
}

/// A range of a sorted set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bounds<'a> {
    /// From an index to another, both included.
    Index(i64, i64),
    /// From a score to another.
    Score(ScoreBound, ScoreBound),
    /// From a member to another.
    Lex(LexBound<'a>, LexBound<'a>),
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreBound {
    score: f64,
    exclusive: bool,
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// Behind all members.
    Highest,
    /// At this one.
    Included(&'a [u8]),
    /// Next to this one.
    Excluded(&'a [u8]),
}

impl<'a> Bounds<'a> {
    /// The range from `min` to `max`.
    pub(crate) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Bounds<'a>, Error> {
        Ok(match by {
            By::Index => Bounds::Index(int(min)?, int(max)?),
            By::Score => {
                let bounds = ScoreBound::parse(min).zip(ScoreBound::parse(max));
                let (min, max) = bounds.ok_or(Error::Text("ERR min or max is not a float"))?;
                Bounds::Score(min, max)
            }
            By::Lex => {
                let bounds = LexBound::parse(min).zip(LexBound::parse(max));
                let (min, max) = bounds.ok_or(Error::Text("ERR min or max not valid string range item"))?;
                Bounds::Lex(min, max)
            }
        })
    }

    /// The positions of its members in `set`, counted from the last one when `backwards` and given by index.
    pub(crate) fn positions(self, set: ZSet<'_>, backwards: bool) -> Range<usize> {
        let (start, end) = match self {
            Bounds::Index(start, stop) => {
                let range = span(start, stop, set.len());
                match backwards {
                    true => (set.len() - range.end, set.len() - range.start),
                    false => (range.start, range.end),
                }
            }
            Bounds::Score(min, max) => (
                set.partition(|score, _| if min.exclusive { score <= min.score } else { score < min.score }),
                set.partition(|score, _| if max.exclusive { score < max.score } else { score <= max.score }),
            ),
            Bounds::Lex(min, max) => (
                set.partition(|_, member| min.is_behind(member, true)),
                set.partition(|_, member| max.is_behind(member, false)),
            ),
        };
        start..end.max(start)
    }
}

/// The positions from index `start` to index `stop` in a set of `len` members.
fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    // A set has far below 2^63 members.
    let from_front = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let start = usize::try_from(from_front(start)).unwrap_or(0);
    let end = usize::try_from(from_front(stop)).map_or(0, |stop| stop.saturating_add(1)).min(len);
    if start < end { start..end } else { 0..0 }
}

impl ScoreBound {
    /// A score as C's `strtod` reads it; `(` before it excludes it.
    fn parse(arg: &[u8]) -> Option<ScoreBound> {
        // What is behind a zero byte is not read; neither is nothing at all, which counts as 0.
        let text = arg.split(|&byte| byte == 0).next().unwrap_or_default();
        let (exclusive, text) = match text {
            [b'(', rest @ ..] => (true, rest),
            text => (false, text),
        };
        if text.is_empty() {
            return Some(ScoreBound { score: 0.0, exclusive });
        }
        let number = text.trim_ascii_start();
        let decimal = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok());
        let score = decimal.or_else(|| LongDouble::parse(number)?.to_double())?;
        (!score.is_nan()).then_some(ScoreBound { score, exclusive })
    }
}

impl<'a> LexBound<'a> {
    fn parse(arg: &'a [u8]) -> Option<LexBound<'a>> {
        match arg {
            b"-" => Some(LexBound::Lowest),
            b"+" => Some(LexBound::Highest),
            [b'[', member @ ..] => Some(LexBound::Included(member)),
            [b'(', member @ ..] => Some(LexBound::Excluded(member)),
            _ => None,
        }
    }

    /// Whether it stands behind `member`; it is the lower end of its range, or the upper one.
    fn is_behind(self, member: &[u8], lower: bool) -> bool {
        match self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Included(bound) if lower => member < bound,
            LexBound::Included(bound) => member <= bound,
            LexBound::Excluded(bound) if lower => member <= bound,
            LexBound::Excluded(bound) => member < bound,
        }
    }
}

/// Which of the members of a range are meant: all but the first `offset`, and of those `count`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Members left out; a negative number leaves out all.
    pub(crate) offset: i64,
    /// Members at most; a negative number is no limit.
    pub(crate) count: i64,
}

impl Limit {
    /// Every member.
    pub(crate) const NONE: Limit = Limit { offset: 0, count: -1 };

    /// The positions of `range` that are meant, which begin at its end when `backwards`.
    pub(crate) fn of(self, range: Range<usize>, backwards: bool) -> Range<usize> {
        let skipped = usize::try_from(self.offset).map_or(range.len(), |n| n.min(range.len()));
        let left = range.len() - skipped;
        let taken = usize::try_from(self.count).map_or(left, |n| n.min(left));
        match backwards {
            true => range.end - skipped - taken..range.end - skipped,
            false => range.start + skipped..range.start + skipped + taken,
        }
    }
}
