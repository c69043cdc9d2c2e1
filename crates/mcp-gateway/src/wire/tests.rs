//! Messages in and out, and the splicing of what is inside them.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn message(text: &str) -> Result<Message, Unread> {
    read(Bytes::copy_from_slice(text.as_bytes()))
}

fn raw(text: &str) -> Raw {
    Raw::read(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// Why this is no message.
fn why(text: &str) -> Malformed {
    message(text).expect_err(text).why
}

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

#[test]
fn what_is_inside_keeps_its_bytes() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{ "name" : "caf\u00e9",  "x-new":[1.0, 1e3,{}] }}"#,
        r#"{"jsonrpc":"2.0","id":"a\"b","method":"server/discover"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":0.50}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"é\n"}],"unknown":{"z":1,"a":2}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no","data":{"uri":"x:/y"}}}"#,
    ] {
        assert_eq!(message(text).unwrap().write(), text);
    }
    for line in include_str!("../../golden/messages.jsonl").lines() {
        assert_eq!(message(line).unwrap().write(), line);
    }
}

#[test]
fn an_error_to_nobody_in_particular_has_no_id() {
    let written = Message::from(Response::error(None, RpcError::new(code::PARSE, "no"))).write();
    assert_eq!(written, r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"no"}}"#);
    let null = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}"#;
    assert_eq!(message(null).unwrap(), read(written).unwrap(), "others write null");
}

#[test]
fn an_id_keeps_its_type() {
    let id = |id: &str| {
        message(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)).map(|message| message.id().cloned())
    };
    assert_eq!(id("1").unwrap(), Some(Id::Number(1)));
    assert_eq!(id("1.0").unwrap(), Some(Id::Number(1)));
    assert_eq!(id("10e-1").unwrap(), Some(Id::Number(1)));
    assert_eq!(id(r#""1""#).unwrap(), Some(Id::Text("1".into())));
    assert_eq!(id("9223372036854775807").unwrap(), Some(Id::Number(i64::MAX)));
    for bad in ["null", "1.5", "true", "[1]", "1e300", "9223372036854775808"] {
        assert!(matches!(id(bad).unwrap_err().why, Malformed::Envelope(_)), "{bad}");
    }
}

#[test]
fn what_is_no_json_is_a_parse_error() {
    for text in ["", "{", "{]", "nope", "{\"a\":01}", "{\"a\":\"\\ud800\"}", "{\"jsonrpc\":\"2.0\",}", "\u{feff}{}"] {
        let unread = message(text).unwrap_err();
        assert_eq!((unread.rpc().code, unread.id), (code::PARSE, None), "{text}");
    }
    assert_eq!(read(Bytes::from_static(b"{\"a\":\"\xff\"}")).unwrap_err().why, Malformed::NotUtf8 { at: 6 });
}

#[test]
fn what_is_no_message_is_an_invalid_request() {
    for text in [
        "1",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":7}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"message":"no code"}}"#,
        r#"{"jsonrpc":"2.0","id":true,"error":{"code":1,"message":""}}"#,
    ] {
        assert_eq!(message(text).unwrap_err().rpc().code, code::INVALID_REQUEST, "{text}");
    }
}

#[test]
fn an_error_keeps_the_id_where_there_is_one() {
    let unread = message(r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":3}"#).unwrap_err();
    assert_eq!(unread.id, Some(Id::Text("x".into())));
}

#[test]
fn a_name_that_stands_twice_is_refused_wherever_it_stands() {
    for text in [
        call(r#"{"name":"cheap","name":"dear"}"#),
        call(r#"{"name":"cheap","na\u006de":"dear"}"#),
        call(r#"{"name":"a","arguments":{"x":[{"k":1,"k":1}]}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_owned(),
    ] {
        assert!(matches!(why(&text), Malformed::Twice { .. }), "{text}");
    }
    assert!(
        message(&call(r#"{"name":"a","arguments":{"name":"b","x":{"name":"c"}}}"#)).is_ok(),
        "in two objects it may"
    );
}

#[test]
fn a_name_in_other_letters_is_refused_where_it_would_decide() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call","method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","ID":1,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#.to_owned(),
        call(r#"{"name":"cheap","NAME":"dear"}"#),
        call(r#"{"name":"cheap","N\u0061me":"dear"}"#),
        call(r#"{"Uri":"file:///etc/passwd"}"#),
        call(r#"{"name":"a","task\u0049d":"x","tas\u212a":{}}"#),
    ] {
        assert!(matches!(why(&text), Malformed::Lookalike { .. }), "{text}");
    }
    assert!(message(&call(r#"{"name":"a","arguments":{"Name":1,"name":2}}"#)).is_ok(), "arguments are the tool's own");
}

#[test]
fn one_message_and_nothing_after_it() {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert!(message(&format!(" \n{ping}\r\n ")).is_ok());
    for after in ["x", "{}", ping, "\0"] {
        assert!(matches!(why(&format!("{ping}{after}")), Malformed::NotJson { .. }), "{after}");
    }
}

#[test]
fn nesting_has_an_end() {
    let deep = |levels: usize| call(&format!(r#"{{"arguments":{}{}}}"#, "[".repeat(levels), "]".repeat(levels)));
    assert!(message(&deep(DEPTH_MAX - 3)).is_ok());
    assert_eq!(why(&deep(DEPTH_MAX)), Malformed::TooDeep);
    assert_eq!(why(&deep(100_000)), Malformed::TooDeep);
}

#[test]
fn batches_are_for_those_who_ask_for_them() {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(why(&format!("[{ping}]")), Malformed::Batch);
    let batch = |text: String| read_batch(Bytes::from(text));
    let (messages, was_batch) = batch(format!("[{ping}, {ping}]")).unwrap();
    assert_eq!((messages.len(), was_batch), (2, true));
    assert!(!batch(ping.to_owned()).unwrap().1);
    assert_eq!(batch("[]".to_owned()).unwrap_err().why, Malformed::BatchSize { found: 0 });
    assert!(batch(format!("[{ping},[{ping}]]")).is_err(), "no batches in batches");
    assert!(batch(format!("[{}]", vec![ping; BATCH_MAX + 1].join(","))).is_err());
}

#[test]
fn a_line_has_no_line_breaks() {
    let message =
        message("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\r\n  \"a\": \"b\\n\"\n}}").unwrap();
    let line = message.write_line();
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    assert_eq!(read(line).unwrap().params().unwrap().text_at(&["a"]).as_deref(), Some("b\n"));
}

#[test]
fn a_long_result_is_written_in_pieces_and_is_the_same_message() {
    for (length, in_pieces) in [(10, false), (100_000, true)] {
        let result = Raw::object([("text", Raw::text(&"x".repeat(length)))]);
        let response = Response::result(Id::Text("a\"b".into()), result);
        let whole = Message::from(response.clone()).write();
        let (first, rest) = response.write_pieces();
        assert_eq!(rest.is_some(), in_pieces);
        let written = [&[first][..], rest.as_deref().map_or(&[], |rest| &rest[..])].concat().concat();
        assert_eq!(written, whole);
    }
}

#[test]
fn an_escaped_name_is_that_name() {
    let params = raw(r#"{"na\u006de":"a", "other" : 1}"#);
    assert_eq!(params.text_at(&["name"]).as_deref(), Some("a"));
    assert_eq!(params.with(&["name"], &Raw::text("b")).as_json(), r#"{"na\u006de":"b", "other" : 1}"#);
    assert_eq!(params.without(&["name"]).as_json(), r#"{"other" : 1}"#);
}

#[test]
fn members_go_where_they_belong() {
    assert_eq!(raw("{ }").with(&["a"], &Raw::empty()).as_json(), r#"{"a":{} }"#);
    assert_eq!(raw(r#"{"a":1 }"#).with(&["b", "c"], &Raw::text("x")).as_json(), r#"{"a":1,"b":{"c":"x"} }"#);
    assert_eq!(raw(r#"{"a":1}"#).with(&["a", "b"], &Raw::text("x")).as_json(), r#"{"a":{"b":"x"}}"#);
    assert_eq!(raw(r#"{"a":1,"b":2,"c":3}"#).without(&["b"]).as_json(), r#"{"a":1,"c":3}"#);
    assert_eq!(raw(r#"{ "a":1, "b":2}"#).without(&["a"]).as_json(), r#"{ "b":2}"#);
    assert_eq!(raw(r#"{ "a":1 }"#).without(&["a"]).as_json(), "{  }");
    assert_eq!(raw(r#"{"a":{"b":1,"c":2}}"#).without(&["a", "b"]).as_json(), r#"{"a":{"c":2}}"#);
    assert_eq!(raw("[1, 2 ,3]").each(|one| (one.as_json() != "2").then_some(one)).as_json(), "[1,3]");
}

#[test]
fn looking_where_nothing_is_finds_nothing() {
    for value in ["1", "null", "\"text\"", "[{\"a\":1}]", "true"] {
        let value = raw(value);
        assert!(value.get(&["a"]).is_none() && value.members().next().is_none() && value.without(&["a"]) == value);
    }
    assert!(Raw::trusted(Bytes::from_static(b"{\"a\":")).get(&["a"]).is_none(), "even in what is no JSON");
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("_meta".to_owned()), "[a-c\"\\\\é/]{0,3}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\\n é{}\\[\\],:]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// What [`Raw::with`] does, done to a tree.
fn with(tree: &mut Value, path: &[String], new: &Value) {
    let Some((first, rest)) = path.split_first() else {
        *tree = new.clone();
        return;
    };
    if !tree.is_object() {
        *tree = json!({});
    }
    with(tree.as_object_mut().unwrap().entry(first.clone()).or_insert_with(|| json!({})), rest, new);
}

fn without(tree: &mut Value, path: &[String]) {
    let (Some((first, rest)), Some(members)) = (path.split_first(), tree.as_object_mut()) else { return };
    if rest.is_empty() {
        members.remove(first);
    } else if let Some(inner) = members.get_mut(first) {
        without(inner, rest);
    }
}

proptest! {
    #[test]
    fn splicing_does_what_a_tree_would(
        mut tree in value(), path in proptest::collection::vec(name(), 0..3), new in value(), pretty in any::<bool>()
    ) {
        let text = if pretty { serde_json::to_string_pretty(&tree).unwrap() } else { tree.to_string() };
        let raw = Raw::read(text.into()).unwrap();
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let there = path.iter().try_fold(&tree, |tree, step| tree.as_object()?.get(step));
        prop_assert_eq!(raw.get(&steps).map(|raw| raw.value()), there.cloned());

        let replaced = Raw::read(raw.with(&steps, &Raw::of(&new)).bytes().clone()).unwrap();
        let removed = Raw::read(raw.without(&steps).bytes().clone()).unwrap();
        let mut expected = tree.clone();
        with(&mut expected, &path, &new);
        prop_assert_eq!(replaced.value(), expected);
        without(&mut tree, &path);
        prop_assert_eq!(removed.value(), tree);
    }

    #[test]
    fn many_changes_at_once_are_the_same_as_one_after_the_other(
        tree in value(), edits in proptest::collection::btree_map(name(), proptest::option::of(value()), 0..4)
    ) {
        let raw = Raw::of(&tree);
        let at_once = raw.edited(edits.iter().map(|(name, value)| (name.as_str(), value.as_ref().map(Raw::of))));
        let in_turn = edits.iter().fold(raw, |raw, (name, value)| match value {
            Some(value) => raw.with(&[name], &Raw::of(value)),
            None => raw.without(&[name]),
        });
        prop_assert!(Raw::read(at_once.bytes().clone()).is_ok());
        prop_assert_eq!(at_once.value(), in_turn.value());
    }

    #[test]
    fn a_list_and_its_parts_are_the_same(tree in value()) {
        let raw = Raw::of(&tree);
        prop_assert_eq!(raw.each(Some).value(), tree.clone());
        if raw.is_object() {
            let members: Vec<_> = raw.members().collect();
            let again = Raw::object(members.iter().map(|(name, value)| (&**name, value.clone())));
            prop_assert_eq!(again.value(), tree);
        }
    }

    #[test]
    fn strictness_refuses_nothing_that_is_plain(tree in value()) {
        prop_assert!(Raw::read(tree.to_string().into()).is_ok());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in "[{}\\[\\]\":,a-e0-9\\\\. ]{0,40}") {
        drop(read(bytes.clone().into()));
        drop(read_batch(text.clone().into()));
        let raw = Raw::trusted(text.into());
        drop((raw.get(&["a", "b"]), raw.with(&["a", "b"], &Raw::empty()), raw.without(&["a"]), raw.elements()));
    }
}

/// A `params` as somebody might write it who wants two readers to see two names.
fn smuggled() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("name"),
        Just("Name"),
        Just("NAME"),
        Just("na\\u006de"),
        Just("\\u006Eame"),
        Just("n\\u0041me"),
        Just("nam\\u212a"),
        Just("x"),
    ];
    let value = prop_oneof![Just(r#""cheap""#), Just(r#""dear""#), Just(r#"{"name":"dear"}"#), Just("null")];
    proptest::collection::vec((key, value), 0..4).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    /// Research §7, row 5: what policy saw is what the server sees, whether its library takes the first of two names or the
    /// last, and whether it minds case or not.
    #[test]
    fn every_reader_of_what_is_taken_reads_the_same_name(params in smuggled()) {
        let Ok(Message::Request(request)) = message(&call(&params)) else { return Ok(()) };
        let written = Message::from(request.clone()).write();
        let tree: Value = serde_json::from_slice(&written).unwrap();
        let ours = request.params.unwrap().get(&["name"]).map(|name| name.value());
        prop_assert_eq!(tree["params"].get("name").cloned(), ours.clone());
        let careless: Vec<&Value> = tree["params"].as_object().unwrap().iter()
            .filter(|(name, _)| name.to_lowercase() == "name").map(|(_, value)| value).collect();
        prop_assert!(careless.len() <= 1 && careless.first().copied() == ours.as_ref(), "{}", params);
    }
}
