//! Key specifications: where in a request its keys are.
//!
//! The model is Redis's: <https://redis.io/docs/latest/develop/reference/key-specs/>.

use resp::Args;
use smallvec::SmallVec;

use crate::table::Command;

/// Where the keys' part of a request begins.
#[derive(Clone, Copy, Debug)]
pub enum Search {
    /// At this argument.
    Index(usize),
    /// After this word, looked for from the given argument on (backwards from the end when negative).
    Keyword(&'static str, isize),
    /// Where clients cannot know; the function finds the only key, if it is in the request at all.
    Unknown(fn(Args<'_>) -> Option<usize>),
}

/// Which of the arguments there are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// From the beginning to the argument `last` after it (from the request's end when negative), each `step`;
    /// a `limit` of 2 stops after half of the rest, and so on.
    Range {
        /// The last that may be one.
        last: isize,
        /// How far a key is from the next.
        step: usize,
        /// Which part of the rest is keys; 0 and 1: all of it.
        limit: usize,
    },
    /// The argument `count` after the beginning says how many; the first is `first` after the beginning.
    Count {
        /// Where the number of keys is.
        count: usize,
        /// Where the first is.
        first: usize,
        /// How far a key is from the next.
        step: usize,
    },
}

/// One specification.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where to begin.
    pub search: Search,
    /// What to take.
    pub find: FindKeys,
    /// What is done with the keys: COMMAND INFO's flags, such as `RO access`, parted by spaces.
    pub flags: &'static str,
}

impl KeySpec {
    /// One key, argument `index`.
    pub const fn one(index: usize, flags: &'static str) -> KeySpec {
        KeySpec { search: Search::Index(index), find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags }
    }

    /// All arguments from `index` on, each `step`.
    pub const fn rest(index: usize, step: usize, flags: &'static str) -> KeySpec {
        KeySpec { search: Search::Index(index), find: FindKeys::Range { last: -1, step, limit: 0 }, flags }
    }

    /// The one that `find` finds, if there is one.
    pub const fn unknown(find: fn(Args<'_>) -> Option<usize>, flags: &'static str) -> KeySpec {
        let search = Search::Unknown(find);
        KeySpec { search, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags }
    }

    /// As many as argument `index` says, from the one behind it on.
    pub const fn counted(index: usize, flags: &'static str) -> KeySpec {
        let find = FindKeys::Count { count: 0, first: 1, step: 1 };
        KeySpec { search: Search::Index(index), find, flags }
    }
}

/// Positions of the keys in a request.
pub type Positions = SmallVec<[usize; 8]>;

impl Command {
    /// Appends the positions of the keys in `args` to `positions`. The arity must have been checked.
    pub fn key_positions(&self, args: Args<'_>, positions: &mut Positions) {
        for spec in self.keys {
            self.positions_of(spec, args, positions);
        }
    }

    /// Appends the positions of the keys that one of its specifications finds in `args`.
    pub(crate) fn positions_of(&self, spec: &KeySpec, args: Args<'_>, positions: &mut Positions) {
        let begin = self.keys_begin.map_or_else(|| spec.begin(args), |begin| begin(args));
        if let Some(begin) = begin {
            spec.positions(args, begin, positions);
        }
    }
}

impl KeySpec {
    /// Appends the positions of the keys in `args`, their part beginning at `begin`.
    fn positions(&self, args: Args<'_>, begin: usize, positions: &mut Positions) {
        match self.find {
            FindKeys::Range { last, step, limit } => {
                let end = match last {
                    last if last >= 0 => begin + last.unsigned_abs(),
                    last if limit <= 1 => (args.len()).saturating_sub(last.unsigned_abs()),
                    // One before the first, when the part has room for none.
                    _ => begin + (args.len() - begin) / limit - 1,
                };
                positions.extend((begin..=end.min(args.len() - 1)).step_by(step));
            }
            FindKeys::Count { count, first, step } => {
                let n =
                    args.get(begin + count).and_then(|n| std::str::from_utf8(n).ok()?.parse::<usize>().ok());
                let from = begin + first;
                positions.extend((from..args.len()).step_by(step).take(n.unwrap_or(0)));
            }
        }
    }

    fn begin(&self, args: Args<'_>) -> Option<usize> {
        match self.search {
            Search::Index(index) => (index < args.len()).then_some(index),
            Search::Keyword(word, from) if from >= 0 => (from.unsigned_abs()..args.len())
                .find(|&i| args.at(i).eq_ignore_ascii_case(word.as_bytes()))
                .map(|i| i + 1),
            Search::Keyword(word, from) => (1..=args.len().checked_sub(from.unsigned_abs())?)
                .rev()
                .find(|&i| args.at(i).eq_ignore_ascii_case(word.as_bytes()))
                .map(|i| i + 1),
            Search::Unknown(find) => find(args),
        }
        .filter(|&i| i < args.len())
    }
}
