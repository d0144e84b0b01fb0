//! DEBUG PROTOCOL: a value of each type the protocol has, for tests of clients.

use resp::Reply;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::table::Outcome;

/// Replies with a value of the type that the argument names.
#[allow(clippy::approx_constant, reason = "the double is Redis's, whatever it resembles")]
pub(crate) fn protocol(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let reply = &mut *ctx.reply;
    match &*ctx.args.at(2).to_ascii_lowercase() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(3.141),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.int(n);
                reply.bool(n == 1);
            }
        }
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"attrib" => attributed(reply),
        b"push" if !reply.resp3() => {
            return Err(Error::Text("ERR RESP2 is not supported by this command"));
        }
        b"push" => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        _ => {
            return Err(Error::Text(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|\
                 array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// A string with an attribute, which RESP2 does not have.
fn attributed(reply: &mut Reply) {
    if reply.resp3() {
        reply.attribute(1);
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.int(90);
    }
    reply.bulk(b"Some real reply following the attribute");
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    /// Each type, and what Redis sends in RESP2 and in RESP3.
    const REPLIES: [(&str, &str, &str); 9] = [
        ("double", "$5\r\n3.141\r\n", ",3.141\r\n"),
        (
            "bignum",
            "$37\r\n1234567999999999999999999999999999999\r\n",
            "(1234567999999999999999999999999999999\r\n",
        ),
        ("null", "$-1\r\n", "_\r\n"),
        ("set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"),
        ("map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n", "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        (
            "attrib",
            "$39\r\nSome real reply following the attribute\r\n",
            "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n\
             $39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "push",
            "-ERR RESP2 is not supported by this command\r\n",
            ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
        ),
        ("verbatim", "$25\r\nThis is a verbatim\nstring\r\n", "=29\r\ntxt:This is a verbatim\nstring\r\n"),
        ("TRUE", ":1\r\n", "#t\r\n"),
    ];

    #[test]
    fn every_type_is_sent_as_redis_does() {
        let mut client = Client::new();
        for (name, resp2, resp3) in REPLIES {
            client.send("HELLO 2");
            assert_eq!(client.send(&format!("DEBUG PROTOCOL {name}")), resp2, "{name}");
            client.send("HELLO 3");
            assert_eq!(client.send(&format!("DEBUG PROTOCOL {name}")), resp3, "{name}");
        }
        assert!(
            client.text("DEBUG PROTOCOL foo").starts_with("ERR Wrong protocol type name. Please use one")
        );
    }
}
