//! The parts of DEBUG that look at values.

use engine::{Element, View};
use persist::rdb;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::number::size_bytes;
use crate::string_compare::digest_of;
use crate::table::Outcome;

/// Bytes of what DUMP gives beside the value itself: its type before it, a version and a checksum behind it.
const DUMP_FRAME_BYTES: usize = 1 + 2 + 8;

/// DEBUG OBJECT.
pub(crate) fn object(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(2);
    let (now_ms, version) = (ctx.now_ms(), ctx.host.rdb_version());
    let entry = ctx.db.peek(key).ok_or(Error::NoSuchKey)?;
    let length = rdb::dump(entry.value(), version).len() - DUMP_FRAME_BYTES;
    let idle_s = entry.idle_ms(now_ms) / 1000;
    let lru = (now_ms / 1000 - idle_s as i64) & 0xff_ffff;
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{length} lru:{lru} lru_seconds_idle:{idle_s}",
        entry.address(),
        entry.encoding()
    );
    ctx.reply.simple(&text);
    Ok(())
}

/// DEBUG QUICKLIST-PACKED-THRESHOLD: from which size on Redis keeps an item of a list apart, in a test.
pub(crate) fn quicklist_packed_threshold(ctx: &mut Ctx<'_, '_>) -> Outcome {
    // A little less than what Redis can count.
    const BYTES_MAX: u64 = (4 << 30) - (1 << 20);
    if size_bytes(ctx.args.at(2)).is_none_or(|bytes| bytes > BYTES_MAX) {
        return Err(Error::Text("ERR argument must be a memory value bigger than 1 and smaller than 4gb"));
    }
    ctx.reply.ok();
    Ok(())
}

/// Twenty bytes that tell contents apart.
type Fingerprint = [u8; 20];

/// Keys visited between two looks for more.
const SCAN_COUNT: usize = 1000;

/// DEBUG DIGEST.
pub(crate) fn digest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    let mut sum = Fingerprint::default();
    for index in 0..ctx.db.databases() {
        let mut db = ctx.db.at(index);
        let mut cursor = 0;
        loop {
            let scan = db.scan(cursor, SCAN_COUNT, |entry| {
                let volatile = if entry.deadline_ms().is_some() { "!" } else { "" };
                let head = format!("{index}{volatile}");
                let value = fingerprint_of(entry.value(), now_ms);
                add(&mut sum, fingerprint(&[head.as_bytes(), entry.key(), &value]));
            });
            cursor = scan.cursor;
            if cursor == 0 {
                break;
            }
        }
    }
    ctx.reply.simple(&hex(&sum));
    Ok(())
}

/// DEBUG DIGEST-VALUE.
pub(crate) fn digest_value(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    let keys = ctx.args.from(2);
    ctx.reply.array(keys.len());
    for key in keys.iter() {
        let key = ctx.db.key(key);
        let digest = ctx.db.peek(key).map(|entry| fingerprint_of(entry.value(), now_ms));
        ctx.reply.bulk(hex(&digest.unwrap_or_default()).as_bytes());
    }
    Ok(())
}

/// The fingerprint of a value, however it is kept: of its elements in their order where they have one.
fn fingerprint_of(value: View<'_>, now_ms: i64) -> Fingerprint {
    let text = |element: Element<'_>| element.bytes(&mut itoa::Buffer::new()).to_vec();
    let mut sum = Fingerprint::default();
    match value {
        View::String(value) => return fingerprint(&[digest_of(value).as_bytes()]),
        View::List(list) => {
            for item in list.elements(0) {
                sum = fingerprint(&[&sum, &text(item)]);
            }
        }
        View::Set(set) => set.iter().for_each(|member| add(&mut sum, fingerprint(&[&text(member)]))),
        View::ZSet(zset) => zset.iter().for_each(|member| {
            // 0 and -0 are the same score.
            let score = (member.score + 0.0).to_le_bytes();
            add(&mut sum, fingerprint(&[&text(member.name), &score]));
        }),
        View::Hash(hash) => hash.at(now_ms).iter().for_each(|field| {
            let deadline_ms = field.deadline_ms.unwrap_or_default().to_le_bytes();
            add(&mut sum, fingerprint(&[&text(field.name), &text(field.value), &deadline_ms]));
        }),
        View::Stream(stream) => {
            for entry in stream.iter() {
                sum = fingerprint(&[&sum, &entry.id.to_bytes()]);
                for (name, value) in entry.fields() {
                    sum = fingerprint(&[&sum, &text(name), &text(value)]);
                }
            }
        }
    }
    fingerprint(&[value.kind().name().as_bytes(), &sum])
}

/// The fingerprint of `parts`, one behind the other.
fn fingerprint(parts: &[&[u8]]) -> Fingerprint {
    let mut bytes = vec![0];
    for part in parts {
        bytes.extend_from_slice(&part.len().to_le_bytes());
        bytes.extend_from_slice(part);
    }
    let mut whole = Fingerprint::default();
    for (salt, word) in whole.chunks_mut(8).enumerate() {
        bytes[0] = salt as u8;
        let digest = digest_of(engine::Str::Bytes(&bytes));
        let digest = u64::from_str_radix(&digest, 16).unwrap_or_default();
        word.copy_from_slice(&digest.to_be_bytes()[..word.len()]);
    }
    whole
}

/// Adds to a sum of fingerprints, which is the same in whatever order.
fn add(sum: &mut Fingerprint, fingerprint: Fingerprint) {
    sum.iter_mut().zip(fingerprint).for_each(|(a, b)| *a ^= b);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn objects_tell_encoding_and_length() {
        let mut client = Client::new();
        let mut object = |line: &str| {
            client.send("DEL a");
            client.send(line);
            let text = client.text("DEBUG OBJECT a");
            let field = |name: &str| text.split(name).nth(1).unwrap().split(' ').next().unwrap().to_owned();
            (field("encoding:"), field("serializedlength:"))
        };
        // From Redis 7.0.15.
        for (line, encoding, length) in [
            ("SET a 12", "int", "2"),
            ("SET a 12345", "int", "3"),
            ("SET a 123456", "int", "5"),
            ("SET a bar", "embstr", "4"),
            ("HSET a f v", "listpack", "14"),
            ("SADD a 1 2 3", "intset", "15"),
        ] {
            assert_eq!(object(line), (encoding.to_owned(), length.to_owned()), "{line}");
        }
        assert_eq!(client.text("DEBUG OBJECT nosuch"), "ERR no such key");
    }

    #[test]
    fn a_threshold_is_a_size_below_4_gb() {
        let mut client = Client::new();
        client.check(&[
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 100b", "OK"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 0", "OK"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 1GB", "OK"),
        ]);
        let text = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
        for size in ["x", "4gb", "1tb", "b", "-1"] {
            client.check_errors(&[(&format!("DEBUG QUICKLIST-PACKED-THRESHOLD {size}"), text)]);
        }
    }

    #[test]
    fn digests_depend_on_content_alone() {
        let (mut one, mut other) = (Client::new(), Client::new());
        let empty = one.text("DEBUG DIGEST");
        assert_eq!(empty, "0".repeat(40));
        one.send("MSET a 1 b two");
        other.send("SET b two");
        assert_ne!(one.text("DEBUG DIGEST"), other.text("DEBUG DIGEST"));
        other.send("SET a 1");
        assert_eq!(one.text("DEBUG DIGEST"), other.text("DEBUG DIGEST"));
        other.send("EXPIRE a 100");
        assert_ne!(one.text("DEBUG DIGEST"), other.text("DEBUG DIGEST"));
        let values = one.value("DEBUG DIGEST-VALUE a nosuch b a");
        let values = values.as_slice().unwrap();
        assert_eq!(values[0], values[3]);
        assert_ne!(values[0], values[2]);
        assert_eq!(values[1].as_bytes(), Some(&[b'0'; 40][..]));
    }

    #[test]
    fn only_lists_and_streams_have_an_order() {
        let mut client = Client::new();
        let mut equal = |a: &str, b: &str| {
            client.send("DEL a b");
            client.send(&a.replace('@', "a"));
            client.send(&b.replace('@', "b"));
            let values = client.value("DEBUG DIGEST-VALUE a b");
            values.as_slice().unwrap()[0] == values.as_slice().unwrap()[1]
        };
        assert!(equal("SADD @ x y 1", "SADD @ 1 y x"));
        assert!(!equal("SADD @ x", "RPUSH @ x"));
        assert!(equal("HSET @ f 1 g 2", "HSET @ g 2 f 1"));
        assert!(!equal("HSET @ f 1 g 2", "HSET @ g 1 f 2"));
        assert!(!equal("RPUSH @ x y", "RPUSH @ y x"));
        assert!(equal("GEOADD @ 1 2 x 3 4 y", "GEOADD @ 3 4 y 1 2 x"));
        assert!(!equal("GEOADD @ 1 2 x", "GEOADD @ 1 3 x"));
        assert!(equal("XADD @ 1-1 f v", "XADD @ 1-1 f v"));
        assert!(!equal("XADD @ 1-1 f v", "XADD @ 1-2 f v"));
    }
}
