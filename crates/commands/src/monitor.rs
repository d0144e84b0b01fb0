//! MONITOR: a connection that is shown what all others run.

use crate::ctx::Ctx;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&MONITOR];

static MONITOR: Command = Command {
    name: "monitor",
    arity: 1,
    flags: flags::ADMIN | flags::NOSCRIPT | flags::LOADING | flags::STALE,
    run: monitor,
    summary: "Shows every command that runs from now on, those for administrators aside: the time, the database, the \
        client, and the arguments without secrets.",
    since: "1.0.0",
    group: "server",
    ..Command::BLANK
};

/// A connection that monitors already gets no reply, as in Redis.
fn monitor(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !ctx.session.monitoring {
        ctx.session.monitoring = true;
        ctx.host.client_changed(ctx.session);
        ctx.host.monitor(ctx.session.id);
        ctx.reply.ok();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn monitoring_ends_with_reset() {
        let mut client = Client::new();
        assert_eq!(client.send("MONITOR"), "+OK\r\n");
        assert_eq!(client.send("MONITOR"), "");
        assert_eq!(client.send("RESET"), "+RESET\r\n");
        assert!(!client.session.monitoring);
        assert_eq!(client.calls(), ["changed 7", "monitor 7", "end monitoring 7", "changed 7"]);
        assert_eq!(client.send("GET a"), "$-1\r\n");
    }

    #[test]
    fn who_monitors_leaves_keys_alone() {
        let mut client = Client::new();
        client.send("MONITOR");
        let refusal = "ERR Replica can't interact with the keyspace";
        client.check_errors(&[("GET a", refusal), ("SET a 1", refusal)]);
        assert_eq!(client.send("PING"), "+PONG\r\n");
    }
}
