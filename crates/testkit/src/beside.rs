//! What a real server is asked where chance decides: whether what we chose can be chosen, and the same change.

use resp::Value;

use crate::judge::Judge;
use crate::request::Request;

/// What the server is asked in place of a request, or beside it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The requests; their replies are judged together.
    pub(crate) requests: Vec<Request>,
    chance: Option<Chance>,
}

/// How a command chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chance {
    /// SPOP.
    Pops,
    /// SRANDMEMBER, HRANDFIELD, ZRANDMEMBER: with something beside each that is chosen, or without.
    Picks { beside: bool },
}

impl Asked {
    /// What to ask the server that `judge` knows after we replied `ours` to `request`.
    pub(crate) fn after(judge: Judge, request: &Request, ours: &Value) -> Asked {
        let (count, look, chance) = match request.name().as_str() {
            "spop" => ("SCARD", "SREM", Chance::Pops),
            "srandmember" => ("SCARD", "SMISMEMBER", Chance::Picks { beside: false }),
            "hrandfield" => ("HLEN", "HMGET", Chance::Picks { beside: request.0.len() == 4 }),
            "zrandmember" => ("ZCARD", "ZMSCORE", Chance::Picks { beside: request.0.len() == 4 }),
            "xclaim" | "xautoclaim" if judge.makes_consumers_late() && ours.as_error().is_none() => {
                let whose = request.0[1..].iter().take(3).map(Vec::as_slice);
                let create = [b"XGROUP".as_slice(), b"CREATECONSUMER"].into_iter().chain(whose);
                return Asked { requests: vec![Request::new(create), request.clone()], chance: None };
            }
            _ => return Asked { requests: vec![request.clone()], chance: None },
        };
        let chosen = chosen(ours, chance);
        if chosen.is_empty() {
            return Asked { requests: vec![request.clone()], chance: None };
        }
        let key = request.0[1].as_slice();
        let names = chosen.iter().map(|(name, _)| name.as_slice());
        let look = Request::new([look.as_bytes(), key].into_iter().chain(names));
        Asked { requests: vec![Request::new([count.as_bytes(), key]), look], chance: Some(chance) }
    }

    /// Whether `theirs`, the replies to what was asked, allow `ours`.
    pub(crate) fn agree(&self, judge: Judge, request: &Request, ours: &Value, theirs: &[Value]) -> bool {
        match (self.chance, theirs) {
            (None, [.., theirs]) => judge.agree(request, ours, theirs),
            (Some(chance), [Value::Int(len), looked]) => {
                let chosen = chosen(ours, chance);
                let wanted = request.0.get(2).and_then(|n| std::str::from_utf8(n).ok()?.parse::<i64>().ok());
                let wanted = wanted.unwrap_or(1);
                let distinct = |n: usize| {
                    let mut names: Vec<_> = chosen.iter().map(|(name, _)| name).collect();
                    names.sort_unstable();
                    names.dedup();
                    names.len() == n
                };
                let fits = match wanted {
                    0.. => chosen.len() as i64 == wanted.min(*len) && distinct(chosen.len()),
                    _ => chosen.len() as u64 == wanted.unsigned_abs(),
                };
                fits && is_there(chance, &chosen, looked)
            }
            _ => false,
        }
    }
}

/// The names chosen, with what was told beside each.
fn chosen(ours: &Value, chance: Chance) -> Vec<(Vec<u8>, Option<String>)> {
    let name = |value: &Value| value.as_bytes().unwrap_or_default().to_vec();
    let told = |value: &Value| match value {
        Value::Double(text) => text.clone(),
        other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
    };
    let beside = chance == Chance::Picks { beside: true };
    match ours {
        Value::Bulk(bytes) => vec![(bytes.clone(), None)],
        Value::Array(items) | Value::Set(items) => match items.first() {
            Some(Value::Array(_)) => {
                let pairs = items.iter().filter_map(Value::as_slice);
                pairs.filter_map(|pair| Some((name(pair.first()?), Some(told(pair.get(1)?))))).collect()
            }
            _ if beside => items
                .chunks(2)
                .filter_map(|pair| Some((name(pair.first()?), Some(told(pair.get(1)?)))))
                .collect(),
            _ => items.iter().map(|item| (name(item), None)).collect(),
        },
        _ => Vec::new(),
    }
}

/// Whether the server has all that was chosen.
fn is_there(chance: Chance, chosen: &[(Vec<u8>, Option<String>)], looked: &Value) -> bool {
    match (chance, looked) {
        (Chance::Pops, Value::Int(removed)) => *removed == chosen.len() as i64,
        (Chance::Picks { .. }, Value::Array(found)) => {
            found.len() == chosen.len()
                && chosen.iter().zip(found).all(|((_, told), found)| match (found, told) {
                    (Value::Null | Value::Int(0), _) => false,
                    (_, None) => true,
                    (Value::Double(found), Some(told)) => found.parse::<f64>() == told.parse::<f64>(),
                    (found, Some(told)) => {
                        let found =
                            String::from_utf8_lossy(found.as_bytes().unwrap_or_default()).into_owned();
                        let numbers = (found.parse::<f64>(), told.parse::<f64>());
                        found == *told || matches!(numbers, (Ok(a), Ok(b)) if a == b)
                    }
                })
        }
        _ => false,
    }
}
