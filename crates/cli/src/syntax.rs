//! A command's arguments as the server documents them: how they are written down, and which of them are still
//! to come after the words typed so far.

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any word.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// Nothing but its token.
    Token,
    /// One of its parts.
    OneOf,
    /// All its parts in order.
    Block,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    /// What it is called in a syntax line.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The word it starts with.
    pub(crate) token: Option<String>,
    pub(crate) optional: bool,
    /// Whether it may be repeated.
    pub(crate) multiple: bool,
    /// Whether each repetition starts with the token.
    pub(crate) multiple_token: bool,
    /// Of `OneOf` and `Block`.
    pub(crate) parts: Vec<Argument>,
}

/// A piece of syntax that may or must follow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    /// An argument of which nothing was typed.
    Whole(&'a Argument),
    /// An argument of which the token was typed.
    Body(&'a Argument),
    /// Another repetition.
    Again(&'a Argument),
}

/// How words fit a piece of syntax.
enum Fit<'a> {
    /// They do not.
    Miss,
    /// So many of them, and nothing must follow.
    Done(usize),
    /// All of them, and these pieces may or must follow.
    Open(Vec<Piece<'a>>),
}

/// A syntax line: `key value [NX|XX] [EX seconds|KEEPTTL]`.
pub(crate) fn describe(arguments: &[Argument]) -> String {
    describe_pieces(&wholes(arguments))
}

/// A syntax line of what is left.
pub(crate) fn describe_pieces(pieces: &[Piece<'_>]) -> String {
    pieces.iter().map(|piece| piece.describe()).collect::<Vec<_>>().join(" ")
}

/// What may or must follow `words`; `None` when they do not fit, or nothing may.
pub(crate) fn remaining<'a>(arguments: &'a [Argument], words: &[&[u8]]) -> Option<Vec<Piece<'a>>> {
    match sequence(arguments, words) {
        Fit::Open(pieces) => Some(pieces),
        Fit::Done(_) | Fit::Miss => None,
    }
}

/// Whether `words` are a start of the arguments, or all of them.
pub(crate) fn fits(arguments: &[Argument], words: &[&[u8]]) -> bool {
    match sequence(arguments, words) {
        Fit::Miss => false,
        Fit::Done(used) => used == words.len(),
        Fit::Open(_) => true,
    }
}

/// The tokens that the next word may be.
pub(crate) fn tokens<'a>(pieces: &[Piece<'a>]) -> Vec<&'a str> {
    let mut tokens = Vec::new();
    for piece in pieces {
        let (argument, with_token, required) = match *piece {
            Piece::Whole(argument) => (argument, true, !argument.optional),
            Piece::Body(argument) => (argument, false, true),
            Piece::Again(argument) => (argument, argument.multiple_token, false),
        };
        match &argument.token {
            Some(token) if with_token => tokens.push(token.as_str()),
            _ => {
                // Of alternatives each may be next; of a block, the first part.
                let next = match argument.kind {
                    Kind::OneOf => argument.parts.as_slice(),
                    _ => argument.parts.get(..1).unwrap_or_default(),
                };
                next.iter().for_each(|part| tokens.extend(self::tokens(&[Piece::Whole(part)])));
            }
        }
        if required {
            break;
        }
    }
    tokens
}

impl Piece<'_> {
    fn describe(&self) -> String {
        match self {
            Piece::Whole(argument) => argument.describe(),
            Piece::Body(argument) => argument.body(),
            Piece::Again(argument) => argument.again(),
        }
    }
}

impl Argument {
    fn describe(&self) -> String {
        let mut text = self.once(true);
        if self.multiple {
            text = format!("{text} {}", self.again());
        }
        if self.optional { format!("[{text}]") } else { text }
    }

    fn again(&self) -> String {
        format!("[{} ...]", self.once(self.multiple_token))
    }

    fn once(&self, with_token: bool) -> String {
        match (&self.token, self.kind) {
            (Some(token), _) if with_token && token.is_empty() => "\"\"".to_owned(),
            (Some(token), Kind::Token) => token.clone(),
            (Some(token), _) if with_token => format!("{token} {}", self.body()),
            _ => self.body(),
        }
    }

    fn body(&self) -> String {
        let separator = if self.kind == Kind::OneOf { "|" } else { " " };
        match self.kind {
            Kind::OneOf | Kind::Block => {
                self.parts.iter().map(Argument::describe).collect::<Vec<_>>().join(separator)
            }
            _ => self.name.clone(),
        }
    }

    /// Fits words, of which there is at least one, to the argument and its repetitions.
    fn fit(&self, words: &[&[u8]]) -> Fit<'_> {
        if !self.multiple {
            return self.fit_once(words);
        }
        let mut used = 0;
        while used < words.len() {
            let left = &words[used..];
            let fit =
                if used == 0 || self.multiple_token { self.fit_once(left) } else { self.fit_body(left) };
            match fit {
                Fit::Miss if used == 0 => return Fit::Miss,
                Fit::Miss | Fit::Done(0) => return Fit::Done(used),
                Fit::Done(n) => used += n,
                Fit::Open(mut pieces) => {
                    pieces.push(Piece::Again(self));
                    return Fit::Open(pieces);
                }
            }
        }
        Fit::Open(vec![Piece::Again(self)])
    }

    fn fit_once(&self, words: &[&[u8]]) -> Fit<'_> {
        let Some(token) = &self.token else { return self.fit_body(words) };
        if !words[0].eq_ignore_ascii_case(token.as_bytes()) {
            return Fit::Miss;
        }
        match &words[1..] {
            _ if self.kind == Kind::Token => Fit::Done(1),
            [] => Fit::Open(vec![Piece::Body(self)]),
            words => match self.fit_body(words) {
                Fit::Done(n) => Fit::Done(n + 1),
                fit => fit,
            },
        }
    }

    fn fit_body(&self, words: &[&[u8]]) -> Fit<'_> {
        let text = str::from_utf8(words[0]).unwrap_or_default();
        let fits = match self.kind {
            Kind::Block => return sequence(&self.parts, words),
            Kind::OneOf => {
                let fits = self.parts.iter().map(|part| part.fit(words));
                return fits.into_iter().find(|fit| !matches!(fit, Fit::Miss)).unwrap_or(Fit::Miss);
            }
            Kind::Text => true,
            Kind::Token => false,
            Kind::Integer => text.parse::<i64>().is_ok(),
            Kind::Double => text.parse::<f64>().is_ok(),
        };
        if fits { Fit::Done(1) } else { Fit::Miss }
    }
}

fn wholes(arguments: &[Argument]) -> Vec<Piece<'_>> {
    arguments.iter().map(Piece::Whole).collect()
}

/// Fits words to arguments one after the other. Neighbours that are optional may come in any order.
fn sequence<'a>(arguments: &'a [Argument], words: &[&[u8]]) -> Fit<'a> {
    let (mut used, mut i) = (0, 0);
    while i < arguments.len() {
        if used == words.len() {
            return Fit::Open(wholes(&arguments[i..]));
        }
        let optional = arguments[i..].iter().take_while(|argument| argument.optional).count();
        let (fit, fitted) = match optional {
            0 => (arguments[i].fit(&words[used..]), 1),
            n => (any_order(&arguments[i..i + n], &words[used..]), n),
        };
        i += fitted;
        match fit {
            Fit::Miss => return Fit::Miss,
            Fit::Done(n) => used += n,
            Fit::Open(mut pieces) => {
                pieces.extend(wholes(&arguments[i..]));
                return Fit::Open(pieces);
            }
        }
    }
    Fit::Done(used)
}

/// Fits words to optional arguments, each once, up to a word that fits none of them.
fn any_order<'a>(arguments: &'a [Argument], words: &[&[u8]]) -> Fit<'a> {
    let mut left: Vec<&Argument> = arguments.iter().collect();
    let mut used = 0;
    'words: while used < words.len() {
        for i in 0..left.len() {
            match left[i].fit(&words[used..]) {
                Fit::Miss | Fit::Done(0) => {}
                Fit::Done(n) => {
                    used += n;
                    left.remove(i);
                    continue 'words;
                }
                Fit::Open(mut pieces) => {
                    left.remove(i);
                    pieces.extend(left.into_iter().map(Piece::Whole));
                    return Fit::Open(pieces);
                }
            }
        }
        return Fit::Done(used);
    }
    if left.is_empty() { Fit::Done(used) } else { Fit::Open(left.into_iter().map(Piece::Whole).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(kind: Kind, name: &str) -> Argument {
        Argument {
            name: name.to_owned(),
            kind,
            token: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            parts: Vec::new(),
        }
    }

    fn text(name: &str) -> Argument {
        argument(Kind::Text, name)
    }

    fn integer(name: &str) -> Argument {
        argument(Kind::Integer, name)
    }

    fn token(token: &str) -> Argument {
        Argument { token: Some(token.to_owned()), ..argument(Kind::Token, "") }
    }

    fn parts(kind: Kind, parts: Vec<Argument>) -> Argument {
        Argument { parts, ..argument(kind, "") }
    }

    impl Argument {
        fn after(self, token: &str) -> Argument {
            Argument { token: Some(token.to_owned()), ..self }
        }

        fn optional(self) -> Argument {
            Argument { optional: true, ..self }
        }

        fn multiple(self) -> Argument {
            Argument { multiple: true, ..self }
        }

        fn multiple_token(self) -> Argument {
            Argument { multiple: true, multiple_token: true, ..self }
        }
    }

    fn set() -> Vec<Argument> {
        let expiry =
            vec![integer("seconds").after("EX"), integer("milliseconds").after("PX"), token("KEEPTTL")];
        vec![
            text("key"),
            text("value"),
            parts(Kind::OneOf, vec![token("NX"), token("XX")]).optional(),
            token("GET").optional(),
            parts(Kind::OneOf, expiry).optional(),
        ]
    }

    fn zadd() -> Vec<Argument> {
        let element = vec![argument(Kind::Double, "score"), text("member")];
        vec![
            text("key"),
            parts(Kind::OneOf, vec![token("NX"), token("XX")]).optional(),
            token("CH").optional(),
            parts(Kind::Block, element).multiple(),
        ]
    }

    fn bitfield_ro() -> Vec<Argument> {
        let get = parts(Kind::Block, vec![text("encoding"), integer("offset")]);
        vec![text("key"), get.after("GET").multiple_token().optional()]
    }

    /// What is left after a line's words: nothing when they do not fit.
    fn left(arguments: &[Argument], line: &str) -> Option<String> {
        let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        remaining(arguments, &words).map(|pieces| describe_pieces(&pieces))
    }

    #[test]
    fn syntax_lines() {
        assert_eq!(describe(&set()), "key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]");
        assert_eq!(describe(&zadd()), "key [NX|XX] [CH] score member [score member ...]");
        assert_eq!(describe(&bitfield_ro()), "key [GET encoding offset [GET encoding offset ...]]");
        let streams =
            parts(Kind::Block, vec![text("key").multiple(), text("id").multiple()]).after("STREAMS");
        assert_eq!(describe(&[streams]), "STREAMS key [key ...] id [id ...]");
        assert_eq!(describe(&[parts(Kind::OneOf, vec![text("key"), token("")])]), "key|\"\"");
        assert_eq!(describe(&[]), "");
    }

    #[test]
    fn what_is_left_of_set() {
        let set = set();
        let cases = [
            ("", "key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]"),
            ("k", "value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]"),
            ("k v", "[NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]"),
            ("k v xx", "[GET] [EX seconds|PX milliseconds|KEEPTTL]"),
            ("k v EX", "seconds [NX|XX] [GET]"),
            ("k v EX 10", "[NX|XX] [GET]"),
            ("k v GET KEEPTTL", "[NX|XX]"),
        ];
        for (line, rest) in cases {
            assert_eq!(left(&set, line).as_deref(), Some(rest), "{line}");
        }
        for line in ["k v EX ten", "k v FOO", "k v NX GET EX 1", "k v EX 1 PX 1"] {
            assert_eq!(left(&set, line), None, "{line}");
        }
    }

    #[test]
    fn what_is_left_of_repetitions() {
        let zadd = zadd();
        assert_eq!(left(&zadd, "k").as_deref(), Some("[NX|XX] [CH] score member [score member ...]"));
        assert_eq!(left(&zadd, "k ch").as_deref(), Some("[NX|XX] score member [score member ...]"));
        assert_eq!(left(&zadd, "k 0").as_deref(), Some("member [score member ...]"));
        assert_eq!(left(&zadd, "k 0 a").as_deref(), Some("[score member ...]"));
        assert_eq!(left(&zadd, "k ch 0 a 1.5").as_deref(), Some("member [score member ...]"));
        assert_eq!(left(&zadd, "k zero"), None);

        let bitfield = bitfield_ro();
        assert_eq!(left(&bitfield, "k GET").as_deref(), Some("encoding offset [GET encoding offset ...]"));
        assert_eq!(left(&bitfield, "k GET u8 0").as_deref(), Some("[GET encoding offset ...]"));
        assert_eq!(left(&bitfield, "k GET u8 0 get u8").as_deref(), Some("offset [GET encoding offset ...]"));
    }

    #[test]
    fn parts_of_a_block_may_be_optional() {
        let count = parts(Kind::Block, vec![integer("count"), token("WITHSCORES").optional()]);
        let zrandmember = [text("key"), count.optional()];
        assert_eq!(left(&zrandmember, "k").as_deref(), Some("[count [WITHSCORES]]"));
        assert_eq!(left(&zrandmember, "k 3").as_deref(), Some("[WITHSCORES]"));
        assert_eq!(left(&zrandmember, "k 3 withscores"), None);
        assert_eq!(left(&zrandmember, "k many"), None);

        let count = parts(Kind::Block, vec![integer("count").after("COUNT"), token("ANY").optional()]);
        let order = parts(Kind::OneOf, vec![token("ASC"), token("DESC")]);
        let geo = [count.optional(), order.optional()];
        assert_eq!(left(&geo, "COUNT 1").as_deref(), Some("[ANY] [ASC|DESC]"));
        assert_eq!(left(&geo, "COUNT 1 DESC"), None);
        assert_eq!(left(&geo, "DESC COUNT").as_deref(), Some("count [ANY]"));
    }

    #[test]
    fn next_tokens() {
        let next = |arguments: &[Argument], line: &str| -> Vec<String> {
            let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
            let pieces = remaining(arguments, &words).unwrap_or_default();
            tokens(&pieces).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(next(&set(), "k"), Vec::<String>::new());
        assert_eq!(next(&set(), "k v"), ["NX", "XX", "GET", "EX", "PX", "KEEPTTL"]);
        assert_eq!(next(&set(), "k v EX"), Vec::<String>::new());
        assert_eq!(next(&set(), "k v EX 1"), ["NX", "XX", "GET"]);
        assert_eq!(next(&zadd(), "k"), ["NX", "XX", "CH"]);
        assert_eq!(next(&bitfield_ro(), "k GET u8 0"), ["GET"]);
    }
}
