//! Requests whole, in pieces and wrong; the error texts are what Redis 7 answers.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Args;

type Request = Vec<Vec<u8>>;

/// What a connection makes of `chunks`: the requests up to the first error, and that.
fn read(chunks: &[&[u8]], limits: &Limits) -> (Vec<Request>, Option<ProtocolError>) {
    let (mut parser, mut buf, mut spans) = (Parser::default(), Vec::new(), Vec::new());
    let mut requests = Vec::new();
    for chunk in chunks {
        buf.extend_from_slice(chunk);
        loop {
            spans.clear();
            match parser.next(&mut buf, limits, &mut spans) {
                Ok(Some(len)) => {
                    assert!(len > 0 && spans.iter().all(|s| s.start <= s.end && s.end <= len));
                    requests.push(Args::new(&buf, &spans).iter().map(<[u8]>::to_vec).collect());
                    buf.drain(..len);
                }
                Ok(None) => {
                    assert!(spans.is_empty());
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn read_whole(bytes: &[u8]) -> (Vec<Request>, Option<ProtocolError>) {
    read(&[bytes], &Limits::default())
}

fn requests(bytes: &[u8]) -> Vec<Request> {
    let (requests, error) = read_whole(bytes);
    assert_eq!(error, None);
    requests
}

fn error(bytes: &[u8]) -> String {
    read_whole(bytes).1.unwrap().to_string()
}

fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for arg in request {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn reads_pipelined_requests() {
    let get: Request = vec![b"GET".to_vec(), b"k\r\n\0".to_vec()];
    let set: Request = vec![b"SET".to_vec(), b"".to_vec(), vec![b'v'; 100_000]];
    let bytes = [encode(&get), b"PING  a\r\n".to_vec(), encode(&set), b"QUIT\n".to_vec()].concat();
    let ping = vec![b"PING".to_vec(), b"a".to_vec()];
    assert_eq!(requests(&bytes), [get, ping, set, vec![b"QUIT".to_vec()]]);
}

#[test]
fn empty_requests_have_no_arguments() {
    let empty = Request::new();
    assert_eq!(requests(b"*0\r\n*-1\r\n*-10\r\n\r\n\n  \r\n"), vec![empty; 6]);
}

#[test]
fn only_the_length_of_a_line_end_counts() {
    assert_eq!(requests(b"*1\rx$4\rxPINGxx*0\r\n"), [vec![b"PING".to_vec()], vec![]]);
}

#[test]
fn a_carriage_return_is_part_of_the_line_end_only_before_the_line_feed() {
    assert_eq!(requests(b"a\rb 'c\r'\r\r\n"), [["a".into(), "b".into(), Vec::from("c\r")]]);
}

#[test]
fn names_the_error() {
    let bulk_missing = b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n";
    assert_eq!(error(bulk_missing), "expected '$', got 'f'");
    for header in
        ["*3000000000", "*2147483648", "*", "*x", "*+1", "*01", "*-0", "*1 ", "*9999999999999999999"]
    {
        assert_eq!(error(format!("{header}\r\n").as_bytes()), "invalid multibulk length", "{header}");
    }
    for header in ["$-10", "$-1", "$2000000000", "$536870913", "$blabla", "$", "$00", "$99999999999999999999"]
    {
        assert_eq!(error(format!("*1\r\n{header}\r\n").as_bytes()), "invalid bulk length", "{header}");
    }
    assert_eq!(error(&[b'*'; 65537]), "too big mbulk count string");
    assert_eq!(error(&[b"*1\r\n", &[b'$'; 65537][..]].concat()), "too big bulk count string");
    assert_eq!(error(&[b'a'; 65537]), "too big inline request");
    assert_eq!(error(b"set \"\"\"key\"\"\" value\r\n"), "unbalanced quotes in request");
}

#[test]
fn a_line_may_be_as_long_as_the_limit() {
    assert_eq!(read_whole(&[b'a'; 65536]), (vec![], None));
    assert_eq!(requests(&[&[b'a'; 65536][..], b"\n"].concat()), [[vec![b'a'; 65536]]]);
    assert_eq!(error(&[&[b'a'; 65537][..], b"\n"].concat()), "too big inline request");
}

#[test]
fn an_unauthenticated_client_may_send_little() {
    let limits = Limits { unauthenticated: true, ..Limits::default() };
    let request = vec![vec![b'x'; 16384]; 10];
    assert_eq!(read(&[&encode(&request)], &limits), (vec![request], None));
    let long = read(&[b"*1\r\n$16385\r\n"], &limits).1.unwrap();
    assert_eq!(long.to_string(), "unauthenticated bulk length");
    let many = read(&[b"*11\r\n"], &limits).1.unwrap();
    assert_eq!(many.to_string(), "unauthenticated multibulk length");
}

#[test]
fn says_how_many_bytes_an_argument_needs() {
    let (mut parser, mut spans) = (Parser::default(), Vec::new());
    let mut bytes = *b"*2\r\n$1000\r\nabc";
    assert_eq!(parser.next(&mut bytes, &Limits::default(), &mut spans), Ok(None));
    assert_eq!(parser.bytes_missing(), 999);
    let mut bytes = [&bytes[..], &[b'.'; 999], b"$3"].concat();
    assert_eq!(parser.next(&mut bytes, &Limits::default(), &mut spans), Ok(None));
    assert_eq!(parser.bytes_missing(), 0);
}

/// Each byte is read once: this takes for ever where a call starts over.
#[test]
fn many_small_pieces_take_linear_time() {
    let request = vec![b"x".to_vec(); 200_000];
    let mut bytes = encode(&request);
    let (mut parser, mut spans) = (Parser::default(), Vec::new());
    for end in 1..bytes.len() {
        assert_eq!(parser.next(&mut bytes[..end], &Limits::default(), &mut spans), Ok(None));
    }
    let len = bytes.len();
    assert_eq!(parser.next(&mut bytes, &Limits::default(), &mut spans), Ok(Some(len)));
    assert_eq!(spans.len(), request.len());
}

/// Bytes that make sense more often than random ones do.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let arg = vec(any::<u8>(), 0..20);
    let word = vec(prop::sample::select(&b"ab \t'\"\\nx4\r"[..]), 0..20);
    let piece = prop_oneof![
        4 => vec(arg, 0..5).prop_map(|request| encode(&request)),
        2 => word.prop_map(|word| [&word[..], b"\n"].concat()),
        1 => vec(prop::sample::select(&b"*$-0129\r\n\r\n"[..]), 0..8),
        1 => vec(any::<u8>(), 0..5),
        1 => Just(vec![b'*'; 40]),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_requests(bytes in pieces(), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        let limits = Limits { line_bytes_max: 32, ..Limits::default() };
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let whole = read(&[&bytes], &limits);
        prop_assert_eq!(&read(&chunks, &limits), &whole);
        let single: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&read(&single, &limits), &whole);
    }

    #[test]
    fn reads_back_what_was_encoded(sent in vec(vec(vec(any::<u8>(), 0..300), 1..12), 0..6)) {
        let bytes: Vec<u8> = sent.iter().flat_map(|request| encode(request)).collect();
        prop_assert_eq!(requests(&bytes), sent);
    }
}
