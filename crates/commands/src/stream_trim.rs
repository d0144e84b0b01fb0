//! How XADD and XTRIM say what is to be trimmed.

use engine::stream::{Keep, Stream, Trim};
use engine::{Limits, StreamId};
use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::number::int;
use crate::stream_id::{id, text};

/// What is to be trimmed, as it stands in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trimming {
    /// What it asks for.
    pub(crate) trim: Trim,
    /// Where the length or id stands.
    at: usize,
}

/// The options of XADD or XTRIM that have to do with trimming, while they are read.
#[derive(Debug, Default)]
pub(crate) struct TrimOptions {
    keep: Option<(Keep, bool, usize)>,
    limit: Option<i64>,
}

impl TrimOptions {
    /// Reads the option at `at`, if it is one; where the next one stands.
    pub(crate) fn read(&mut self, args: Args<'_>, at: usize) -> Result<Option<usize>, Error> {
        let (option, Some(next)) = (args.at(at), args.get(at + 1)) else { return Ok(None) };
        let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
        if is("limit") {
            let limit = int(next)?;
            if limit < 0 {
                return Err(Error::Text("ERR The LIMIT argument must be >= 0."));
            }
            self.limit = Some(limit);
            return Ok(Some(at + 2));
        }
        if !is("maxlen") && !is("minid") {
            return Ok(None);
        }
        if self.keep.is_some() {
            const BOTH: &str =
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
            return Err(Error::Text(BOTH));
        }
        let has_sign = matches!(next, b"~" | b"=") && args.get(at + 2).is_some();
        let at = at + 1 + usize::from(has_sign);
        let keep = if is("minid") {
            Keep::From(id(args.at(at))?)
        } else {
            let len = u64::try_from(int(args.at(at))?);
            Keep::Newest(len.map_err(|_| Error::Text("ERR The MAXLEN argument must be >= 0."))?)
        };
        self.keep = Some((keep, has_sign && next == b"~", at));
        Ok(Some(at + 1))
    }

    /// What the options come to; nothing when none asks for trimming.
    pub(crate) fn finish(self, ctx: &Ctx<'_, '_>) -> Result<Option<Trimming>, Error> {
        const WITHOUT: &str = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
        const EXACT: &str = "ERR syntax error, LIMIT cannot be used without the special ~ option";
        // In a log, what was left is said exactly, and the limit stands beside it still.
        let replayed = ctx.db.turn.loading;
        let whole_nodes = self.keep.is_some_and(|(_, whole_nodes, _)| whole_nodes);
        match self.limit {
            Some(1..) if self.keep.is_none() => return Err(Error::Text(WITHOUT)),
            Some(_) if !whole_nodes && !replayed => return Err(Error::Text(EXACT)),
            _ => {}
        }
        let Some((keep, whole_nodes, at)) = self.keep else { return Ok(None) };
        let limit = match self.limit {
            _ if replayed || !whole_nodes => 0,
            Some(limit) => limit.unsigned_abs(),
            None => default_limit(&ctx.db.turn.limits),
        };
        Ok(Some(Trimming { trim: Trim { keep, whole_nodes, limit }, at }))
    }
}

/// Entries that are removed by one command that trims whole nodes, unless it says otherwise: a hundred nodes'.
fn default_limit(limits: &Limits) -> u64 {
    match limits.stream_node_max_entries.saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000),
    }
}

impl Trimming {
    /// What took the place of the arguments in the effect: whole nodes are a matter of how they are kept, so what is
    /// left is said exactly. Nothing when it was exact.
    pub(crate) fn exact(&self, stream: &Stream) -> Option<Exact> {
        let is = match self.trim.keep {
            Keep::Newest(_) => itoa::Buffer::new().format(stream.len()).into(),
            Keep::From(_) => text(stream.first_id().unwrap_or(StreamId::MAX)).to_vec(),
        };
        self.trim.whole_nodes.then_some(Exact { at: self.at, is })
    }
}

/// What a trimming came to.
#[derive(Debug)]
pub(crate) struct Exact {
    at: usize,
    is: Vec<u8>,
}

impl Exact {
    /// Puts it in its place among `args`, which are the request's.
    pub(crate) fn put<'a>(&'a self, args: &mut [&'a [u8]]) {
        args[self.at - 1] = b"=";
        args[self.at] = &self.is;
    }
}
