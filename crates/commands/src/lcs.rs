//! LCS: the longest common subsequence of two strings.
//!
//! The lengths of the common subsequences of all pairs of prefixes form a table whose rows differ from one place to
//! the next by 0 or 1. So a row is kept as bits, and made from the one before with additions of whole words
//! (Crochemore, Iliopoulos, Pinzon, Reid: "A fast and practical bit-vector algorithm for the longest common
//! subsequence problem", 2001).

use engine::Entry;
use resp::{Args, Reply};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::{FindKeys, KeySpec, Search};
use crate::number::int;
use crate::string::ONE_STRING;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&LCS];

/// Bytes that Redis's table takes for a pair of prefixes. Ours is 32 times smaller, but time grows with the same
/// product, so the bound on it is kept.
const PAIR_BYTES: u64 = 4;

static LCS: Command = Command {
    name: "lcs",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec {
        search: Search::Index(1),
        find: FindKeys::Range { last: 1, step: 1, limit: 0 },
        flags: "RO access",
    }],
    run: lcs,
    summary: "Gives the longest common subsequence of two values, or its length, or where it lies in both.",
    since: "7.0.0",
    complexity: "O(N*M) where N and M are the lengths of the values",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    example: "> MSET a ohmytext b mynewtext\nOK\n> LCS a b\n\"mytext\"\n> LCS a b LEN\n(integer) 6",
    ..ONE_STRING
};

fn lcs(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (first, second) = (ctx.key(1), ctx.key(2));
    let mut lens = [0; 2];
    for (key, len) in [first, second].into_iter().zip(&mut lens) {
        if let Some(value) = ctx.db.read_string(key).map_err(|_| NOT_STRINGS)? {
            *len = value.len() as u64;
        }
    }
    let options = Options::parse(ctx.args.from(3))?;
    let pairs = (lens[0] + 1).saturating_mul(lens[1] + 1);
    if pairs.saturating_mul(PAIR_BYTES) > ctx.host.bulk_bytes_max() as u64 {
        return Err(Error::Text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    // Only one of them can be looked at in the store at a time.
    let a = bytes(ctx.db.peek(first), &mut itoa::Buffer::new()).to_vec();
    let mut digits = itoa::Buffer::new();
    let b = bytes(ctx.db.peek(second), &mut digits);
    match options.output {
        Output::Length => ctx.reply.int(Table::new(&a, b, false).len() as i64),
        Output::Subsequence => {
            let table = Table::new(&a, b, true);
            let mut subsequence: Vec<u8> = table.matches().map(|(i, _)| a[i]).collect();
            subsequence.reverse();
            ctx.reply.bulk(&subsequence);
        }
        Output::Places => reply_places(ctx.reply, &Table::new(&a, b, true), &options),
    }
    Ok(())
}

/// The bytes of an entry that is a string; none, when there is no entry.
fn bytes<'e>(entry: Option<Entry<'e>>, digits: &'e mut itoa::Buffer) -> &'e [u8] {
    entry.and_then(|entry| entry.string().ok()).map_or(&[], |value| value.bytes(digits))
}

const NOT_STRINGS: Error = Error::Text("ERR The specified keys must contain string values");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Subsequence,
    Length,
    Places,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    output: Output,
    /// Runs shorter than this are left out of the places.
    run_len_min: i64,
    with_run_len: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, Error> {
        let mut options = Options { output: Output::Subsequence, run_len_min: 0, with_run_len: false };
        let (mut length, mut places) = (false, false);
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"LEN") {
                length = true;
            } else if word.eq_ignore_ascii_case(b"IDX") {
                places = true;
            } else if word.eq_ignore_ascii_case(b"WITHMATCHLEN") {
                options.with_run_len = true;
            } else if word.eq_ignore_ascii_case(b"MINMATCHLEN") {
                options.run_len_min = int(words.next().ok_or(Error::Syntax)?)?;
            } else {
                return Err(Error::Syntax);
            }
        }
        options.output = match (length, places) {
            (true, true) => {
                return Err(Error::Text("ERR If you want both the length and indexes, please just use IDX."));
            }
            (true, false) => Output::Length,
            (false, true) => Output::Places,
            (false, false) => Output::Subsequence,
        };
        Ok(options)
    }
}

/// Writes the runs that the subsequence consists of, the last one first, and its length.
fn reply_places(reply: &mut Reply, table: &Table<'_>, options: &Options) {
    reply.map(2);
    reply.bulk(b"matches");
    let array = reply.array_deferred();
    let mut runs = 0;
    let mut matches = table.matches().peekable();
    while let Some((a_end, b_end)) = matches.next() {
        let (mut a_start, mut b_start) = (a_end, b_end);
        while let Some((a, b)) = matches.next_if(|&(a, b)| a + 1 == a_start && b + 1 == b_start) {
            (a_start, b_start) = (a, b);
        }
        let len = (a_end - a_start + 1) as i64;
        if len < options.run_len_min {
            continue;
        }
        runs += 1;
        reply.array(if options.with_run_len { 3 } else { 2 });
        for (start, end) in [(a_start, a_end), (b_start, b_end)] {
            reply.array(2);
            reply.int(start as i64);
            reply.int(end as i64);
        }
        if options.with_run_len {
            reply.int(len);
        }
    }
    reply.close_array(array, runs);
    reply.bulk(b"len");
    reply.int(table.len() as i64);
}

/// The table for two strings.
struct Table<'s> {
    a: &'s [u8],
    b: &'s [u8],
    /// For each prefix of `a` (but the empty one) a row of `words` words, or only the last row. Bit `j` is clear
    /// where the prefix of `b` with `j + 1` bytes has a longer common subsequence than the one with `j`. Bits behind
    /// the end of `b` are set.
    rows: Vec<u64>,
    words: usize,
}

impl<'s> Table<'s> {
    /// The table of `a` and `b`: all of it when `whole`, else only what its last row says.
    fn new(a: &'s [u8], b: &'s [u8], whole: bool) -> Table<'s> {
        let words = b.len().div_ceil(64);
        let places = Places::new(a, b, words);
        let mut rows = Vec::with_capacity(if whole { a.len() * words } else { words });
        let mut row = vec![u64::MAX; words];
        for byte in a {
            let mut carry = false;
            for (bits, equal) in row.iter_mut().zip(places.of(*byte)) {
                let stepped = *bits & equal;
                let (sum, over) = bits.overflowing_add(stepped);
                let (sum, over_again) = sum.overflowing_add(u64::from(carry));
                carry = over || over_again;
                *bits = sum | (*bits & !equal);
            }
            if whole {
                rows.extend_from_slice(&row);
            }
        }
        Table { a, b, rows: if whole { rows } else { row }, words }
    }

    fn last_row(&self) -> &[u64] {
        &self.rows[self.rows.len().saturating_sub(self.words)..]
    }

    /// The length of the longest common subsequence.
    fn len(&self) -> u64 {
        self.last_row().iter().map(|bits| u64::from(bits.count_zeros())).sum()
    }

    /// Whether the first `i` bytes of `a` have a longer common subsequence with the first `j` bytes of `b` than with
    /// one byte less.
    fn grows(&self, i: usize, j: usize) -> bool {
        let bit = j - 1;
        self.rows[(i - 1) * self.words + bit / 64] >> (bit % 64) & 1 == 0
    }

    /// Places in `a` and `b` of the bytes of a longest common subsequence, from its end: of several the one that
    /// Redis finds. The table must be whole.
    fn matches(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.a[i - 1] == self.b[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                } else if self.grows(i, j) {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            None
        })
    }
}

/// Where in `b` each byte of `a` is found, as bits.
struct Places {
    /// For each byte that is in `a`, which row of `bits` is its own.
    row_of: [usize; 256],
    bits: Vec<u64>,
    words: usize,
}

impl Places {
    fn new(a: &[u8], b: &[u8], words: usize) -> Places {
        let mut row_of = [usize::MAX; 256];
        let mut rows = 0;
        for byte in a {
            let row = &mut row_of[usize::from(*byte)];
            if *row == usize::MAX {
                *row = rows;
                rows += 1;
            }
        }
        let mut bits = vec![0; rows * words];
        for (j, byte) in b.iter().enumerate() {
            let row = row_of[usize::from(*byte)];
            if row != usize::MAX {
                bits[row * words + j / 64] |= 1 << (j % 64);
            }
        }
        Places { row_of, bits, words }
    }

    /// Where `byte`, which is in `a`, is found.
    fn of(&self, byte: u8) -> &[u64] {
        &self.bits[self.row_of[usize::from(byte)] * self.words..][..self.words]
    }
}

#[cfg(test)]
mod tests {
    use engine::Rng;

    use super::*;
    use crate::testing::Client;

    /// Places of a longest common subsequence, from its end, by the table of lengths itself.
    fn by_lengths(a: &[u8], b: &[u8]) -> Vec<(usize, usize)> {
        let mut lens = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                lens[i][j] = if a[i - 1] == b[j - 1] {
                    lens[i - 1][j - 1] + 1
                } else {
                    lens[i - 1][j].max(lens[i][j - 1])
                };
            }
        }
        let (mut i, mut j, mut places) = (a.len(), b.len(), Vec::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                places.push((i, j));
            } else if lens[i - 1][j] > lens[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        places
    }

    #[test]
    fn bits_find_what_lengths_find() {
        let mut rng = Rng::new(5);
        for _ in 0..2000 {
            let letters = 1 + rng.below(6);
            let mut text = |max| -> Vec<u8> {
                let len = rng.below(max);
                (0..len).map(|_| b'a' + rng.below(letters) as u8).collect()
            };
            let (a, b) = (text(90), text(220));
            let expected = by_lengths(&a, &b);
            let table = Table::new(&a, &b, true);
            assert_eq!(table.matches().collect::<Vec<_>>(), expected);
            assert_eq!(table.len(), expected.len() as u64);
            assert_eq!(Table::new(&a, &b, false).len(), expected.len() as u64);
        }
    }

    #[test]
    fn places_are_runs_from_the_end() {
        let mut client = Client::new();
        client.send("MSET a ohmytext b mynewtext");
        let text =
            "1) 1) 1) (integer) 4\n         2) (integer) 7\n      2) 1) (integer) 5\n         2) (integer) 8";
        let my =
            "2) 1) 1) (integer) 2\n         2) (integer) 3\n      2) 1) (integer) 0\n         2) (integer) 1";
        client.check(&[
            ("LCS a b IDX", &format!("1) \"matches\"\n2) {text}\n   {my}\n3) \"len\"\n4) (integer) 6")),
            (
                "LCS a b IDX MINMATCHLEN 3 WITHMATCHLEN",
                &format!("1) \"matches\"\n2) {text}\n      3) (integer) 4\n3) \"len\"\n4) (integer) 6"),
            ),
            ("LCS a none IDX", "1) \"matches\"\n2) (empty array)\n3) \"len\"\n4) (integer) 0"),
            ("LCS a none", "\"\""),
            ("LCS a a MINMATCHLEN -5", "\"ohmytext\""),
        ]);
    }

    #[test]
    fn options_that_make_no_sense_and_long_values_are_refused() {
        let mut client = Client::new();
        client.send("MSET a 12345 b 123456");
        client.check_errors(&[
            ("LCS a b FAST", "ERR syntax error"),
            ("LCS a b MINMATCHLEN", "ERR syntax error"),
            ("LCS a b MINMATCHLEN x", "ERR value is not an integer or out of range"),
            ("LCS a b LEN IDX", "ERR If you want both the length and indexes, please just use IDX."),
        ]);
        client.host.bulk_bytes_max = Some(6 * 7 * 4);
        client.check(&[("LCS a b", "\"12345\"")]);
        client.host.bulk_bytes_max = Some(6 * 7 * 4 - 1);
        client.check_errors(&[(
            "LCS a b LEN",
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        )]);
    }
}
