//! COMMAND DOCS: what the table says of commands, for people and for clients' hints.

use resp::Reply;

use crate::arguments::{Argument, ArgumentKind};
use crate::command::ANY;
use crate::ctx::Ctx;
use crate::lookup::{Row, find_named, rows};
use crate::table::{Command, Outcome};

pub(crate) static DOCS: Command = Command {
    name: "docs",
    arity: -2,
    run: docs,
    summary: "Describes commands for people: what they do, their arguments, their history.",
    since: "7.0.0",
    complexity: "O(N), N being the number of commands",
    syntax: "[command-name...]",
    example: "> COMMAND DOCS nosuch\n(empty array)",
    tips: &["nondeterministic_output_order"],
    ..ANY
};

fn docs(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let all = || rows().iter().filter(|row| row.container.is_none());
    let found: Vec<&Row> = match ctx.args.len() {
        2 => all().collect(),
        _ => ctx.args.from(2).iter().filter_map(find_named).collect(),
    };
    ctx.reply.map(found.len());
    for row in found {
        ctx.reply.bulk(row.full_name().as_bytes());
        one_docs(ctx.reply, row);
    }
    Ok(())
}

/// A map whose fields are left out where a row says nothing.
fn one_docs(reply: &mut Reply, row: &Row) {
    let command = row.command;
    let texts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group),
        ("complexity", command.complexity),
    ];
    let texts = || texts.into_iter().filter(|(_, text)| !text.is_empty());
    let arguments = row.arguments();
    let others = [!command.history.is_empty(), !arguments.is_empty(), !command.subcommands.is_empty()];
    let deprecated = if command.deprecated.is_some() { 3 } else { 0 };
    reply.map(texts().count() + deprecated + others.into_iter().filter(|&there| there).count());
    texts().for_each(|(field, text)| text_field(reply, field, text));
    if let Some((since, instead)) = command.deprecated {
        reply.bulk(b"doc_flags");
        reply.set(1);
        reply.simple("deprecated");
        text_field(reply, "deprecated_since", since);
        text_field(reply, "replaced_by", instead);
    }
    if !command.history.is_empty() {
        reply.bulk(b"history");
        reply.set(command.history.len());
        for (version, change) in command.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !arguments.is_empty() {
        argument_list(reply, &arguments);
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        for row in command.subcommands.iter().filter_map(|c| row.subcommand(c.name.as_bytes())) {
            reply.bulk(row.full_name().as_bytes());
            one_docs(reply, row);
        }
    }
}

fn text_field(reply: &mut Reply, field: &str, text: &str) {
    reply.bulk(field.as_bytes());
    reply.bulk(text.as_bytes());
}

fn argument_list(reply: &mut Reply, arguments: &[Argument]) {
    reply.bulk(b"arguments");
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| one_argument(reply, argument));
}

fn one_argument(reply: &mut Reply, argument: &Argument) {
    let (kind, key_spec, inner) = match &argument.kind {
        ArgumentKind::Word(kind) => (*kind, None, None),
        ArgumentKind::Key(spec) => ("key", Some(*spec), None),
        ArgumentKind::Token => ("pure-token", None, None),
        ArgumentKind::OneOf(inner) => ("oneof", None, Some(inner)),
        ArgumentKind::Block(inner) => ("block", None, Some(inner)),
    };
    let flags = [
        ("optional", argument.optional),
        ("multiple", argument.multiple),
        ("multiple_token", argument.multiple_token),
    ];
    let flags = || flags.into_iter().filter(|(_, set)| *set);
    let has_flags = flags().next().is_some();
    // Every argument has a name and a type, and further inner arguments or a text to show.
    let fields =
        3 + [key_spec.is_some(), argument.token.is_some(), has_flags].into_iter().filter(|&f| f).count();
    reply.map(fields);
    text_field(reply, "name", &argument.name);
    text_field(reply, "type", kind);
    if inner.is_none() {
        text_field(reply, "display_text", &argument.name);
    }
    if let Some(spec) = key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(spec as i64);
    }
    if let Some(token) = argument.token {
        text_field(reply, "token", token);
    }
    if has_flags {
        reply.bulk(b"flags");
        reply.set(flags().count());
        flags().for_each(|(flag, _)| reply.simple(flag));
    }
    if let Some(inner) = inner {
        argument_list(reply, inner);
    }
}

#[cfg(test)]
mod tests {
    use resp::Value;

    use crate::testing::Client;

    #[test]
    fn docs_have_the_fields_that_clients_read() {
        let mut client = Client::new();
        client.send("HELLO 3");
        assert_eq!(
            client.send("COMMAND DOCS quit").replace("\r\n", " "),
            "%1 $4 quit %7 $7 summary $22 Closes the connection. $5 since $5 1.0.0 $5 group $10 connection $10 \
             complexity $4 O(1) $9 doc_flags ~1 +deprecated $16 deprecated_since $5 7.2.0 $11 replaced_by $27 just \
             closing the connection "
        );
        let pause = client.send("COMMAND DOCS client|pause").replace("\r\n", " ");
        assert!(
            pause.contains(
                "$9 arguments *2 %3 $4 name $7 timeout $4 type $7 integer $12 display_text $7 timeout \
                 %4 $4 name $9 write-all $4 type $5 oneof $5 flags ~1 +optional $9 arguments *2 \
                 %4 $4 name $5 write $4 type $10 pure-token $12 display_text $5 write $5 token $5 WRITE "
            ),
            "{pause}"
        );
    }

    #[test]
    fn every_reply_can_be_read() {
        for version in [2, 3] {
            let mut client = Client::new();
            client.send(&format!("HELLO {version}"));
            let len = match client.value("COMMAND DOCS") {
                Value::Map(pairs) => pairs.len(),
                Value::Array(flat) => flat.len() / 2,
                other => panic!("{other:?}"),
            };
            assert_eq!(len, crate::table().count());
            assert!(client.send("COMMAND DOCS get get").starts_with(['%', '*']));
        }
    }
}
