//! The main job with redis-rs, blocking and asynchronous: `redis-rs-job URL` ends with status 0 when the server
//! at that address stores, reads and loses keys as it should.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use redis::{AsyncCommands, Client, Commands, ErrorKind, ExistenceCheck, RedisResult, ServerErrorKind};
use redis::{SetExpiry, SetOptions, Value};

fn main() -> RedisResult<()> {
    let url = std::env::args().nth(1).expect("usage: redis-rs-job URL");
    let client = Client::open(url)?;
    store_and_read(&client)?;
    pipeline(&client)?;
    errors(&client)?;
    lose_on_time(&client)?;
    scan(&client)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(asynchronous(&client))?;
    println!("all of it holds");
    Ok(())
}

fn store_and_read(client: &Client) -> RedisResult<()> {
    let mut con = client.get_connection()?;
    let () = con.set("text", "grüße")?;
    assert_eq!(con.get::<_, String>("text")?, "grüße");
    assert_eq!(con.get::<_, Option<String>>("nothing")?, None);
    let every_byte: Vec<u8> = (0..=255).collect();
    let () = con.set(&every_byte, &every_byte)?;
    assert_eq!(con.get::<_, Vec<u8>>(&every_byte)?, every_byte);
    let () = con.mset(&[("a", 1), ("b", 2)])?;
    assert_eq!(con.mget::<_, Vec<Option<i64>>>(&["a", "nothing", "b"])?, [Some(1), None, Some(2)]);
    assert_eq!(con.incr::<_, _, i64>("a", 41)?, 42);
    let options = SetOptions::default().conditional_set(ExistenceCheck::NX);
    assert_eq!(con.set_options::<_, _, Value>("a", 7, options)?, Value::Nil);
    assert_eq!(con.del::<_, i64>(&["a", "b", "nothing"])?, 2);
    assert_eq!(con.append::<_, _, usize>("text", "!")?, "grüße!".len());
    Ok(())
}

fn pipeline(client: &Client) -> RedisResult<()> {
    let mut con = client.get_connection()?;
    let mut pipe = redis::pipe();
    for i in 0..1000 {
        pipe.set(format!("key:{i}"), i).ignore().get(format!("key:{i}"));
    }
    let values: Vec<i64> = pipe.query(&mut con)?;
    assert_eq!(values, (0..1000).collect::<Vec<_>>());
    Ok(())
}

fn errors(client: &Client) -> RedisResult<()> {
    let mut con = client.get_connection()?;
    let () = con.set("word", "many")?;
    let error = con.incr::<_, _, i64>("word", 1).expect_err("a word is not counted");
    assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    assert_eq!(error.detail(), Some("value is not an integer or out of range"));
    assert_eq!(con.get::<_, String>("word")?, "many");
    Ok(())
}

fn lose_on_time(client: &Client) -> RedisResult<()> {
    let mut con = client.get_connection()?;
    let start = Instant::now();
    let () = con.set_options("short", "lived", SetOptions::default().with_expiration(SetExpiry::PX(150)))?;
    let after_set = Instant::now();
    assert!((1..=150).contains(&con.pttl::<_, i64>("short")?));
    // When the question was asked to which the key was still there.
    let mut last_seen = after_set;
    let mut asked = after_set;
    while con.exists::<_, bool>("short")? {
        last_seen = asked;
        asked = Instant::now();
        assert!(last_seen < after_set + Duration::from_secs(5), "the key stays");
    }
    assert!(start.elapsed() >= Duration::from_millis(145), "the key went early");
    assert!(last_seen < after_set + Duration::from_millis(155), "the key went late");
    let () = con.set_ex("long", "lived", 100)?;
    assert!(con.persist::<_, bool>("long")?);
    assert_eq!(con.ttl::<_, i64>("long")?, -1);
    Ok(())
}

fn scan(client: &Client) -> RedisResult<()> {
    let mut con = client.get_connection()?;
    let found: HashSet<String> = con.scan_match("key:*")?.collect::<RedisResult<_>>()?;
    assert_eq!(found.len(), 1000);
    Ok(())
}

/// Many tasks at once over one multiplexed connection.
async fn asynchronous(client: &Client) -> RedisResult<()> {
    let con = client.get_multiplexed_async_connection().await?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let mut con = con.clone();
        tasks.spawn(async move { con.incr::<_, _, i64>("count", 1).await });
    }
    let mut counts = tasks.join_all().await.into_iter().collect::<RedisResult<Vec<_>>>()?;
    counts.sort_unstable();
    assert_eq!(counts, (1..=200).collect::<Vec<_>>());
    Ok(())
}
