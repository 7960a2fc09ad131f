use super::*;
use proptest::prelude::*;
use std::path::Path;

/// Reads a text as if it were the main file.
fn parse(text: &str) -> Result<Contexts, SyntaxError> {
    let source = Rc::new(Source { number: 0, name: "f".to_owned() });
    let (mut contexts, mut report) = (Contexts::new(), Report::new());
    let mut files = Files::new(Path::new("/nonexistent/lighttpd.conf"));
    let mut reading = Reading { files: &mut files, report: &mut report, contexts: &mut contexts };
    reading.file(text, &source, Contexts::GLOBAL, 0)?;
    Ok(contexts)
}

fn value(text: &str, name: &str) -> Value {
    parse(text).unwrap().global().settings[name].value.clone()
}

#[test]
fn values_add_up() {
    for (text, expected) in [
        ("a.b = \"x\" + 5 + \"y\"", Value::Text("x5y".to_owned())),
        ("var.p = 80\na.b = var.p + 1", Value::Number(81)),
        ("a.b = 1\na.b := 2", Value::Number(2)),
        ("a.b = a.c", Value::Unknown("a.c is not set".to_owned())),
        ("root = \"/srv\"\na.b = root + \"/x\"", Value::Text("/srv/x".to_owned())),
        ("var.root = \"/srv\"\na.b = root", Value::Text("/srv".to_owned())),
        ("root = 1\nroot += 2\na.b = var.root", Value::Number(3)),
        ("a.b = root", Value::Unknown("root is not set".to_owned())),
        ("a.c = \"x\"\na.b = a.c", Value::Text("x".to_owned())),
    ] {
        assert_eq!(value(text, "a.b"), expected, "{text}");
    }
    let list = value("a.b = ( \"x\" )\na.b += ( \"k\" =>\n 1, )", "a.b");
    let keys: Vec<_> = list.as_list().unwrap().iter().map(|item| item.key.as_deref()).collect();
    assert_eq!(keys, [None, Some("k")]);
}

#[test]
fn a_block_sees_what_is_around_it_and_adds_to_a_copy() {
    let text = "a.b = ( 1 )\n$HTTP[\"host\"] == \"x\"\n{\n a.b += ( 2 ) }\nelse $HTTP[\"host\"] == \"y\" { a.c = 1 }\n\
                else { a.d = 1 }\n$HTTP[\"host\"] == \"x\" { a.e = 1 }\nglobal { a.f = 1 }\n";
    let contexts = parse(text).unwrap();
    let names: Vec<Vec<_>> =
        contexts.all().iter().map(|context| context.settings.keys().map(String::as_str).collect()).collect();
    assert_eq!(names, [vec!["a.b", "a.f"], vec!["a.b", "a.e"], vec!["a.c"], vec!["a.d"]]);
    let inner = contexts.all()[1].settings["a.b"].value.as_list().unwrap().len();
    assert_eq!((inner, contexts.global().settings["a.b"].value.as_list().unwrap().len()), (2, 1));
    let unless: Vec<_> =
        contexts.all()[1..].iter().map(|c| c.condition.as_ref().unwrap().unless.clone()).collect();
    assert_eq!(unless, [vec![], vec![1], vec![1, 2]]);
}

proptest! {
    /// Any text is read to its end or refused with a place within it; nothing panics, and nothing goes on for ever.
    #[test]
    fn any_text_is_answered(text in pieces()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.at.line <= text.split('\n').count(), "{error}");
        }
    }
}

/// Pieces of the language in any order, with some noise between them.
fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "a.b",
        "var.x",
        "env.HOME",
        "=",
        "+=",
        ":=",
        "==",
        "=~",
        "=>",
        "+",
        ",",
        "(",
        ")",
        "{",
        "}",
        "$",
        "[",
        "]",
        "\"",
        "\"x\"",
        "\\",
        "80",
        "\n",
        " ",
        "#",
        "else",
        "global",
        "include",
        "include_shell",
        "HTTP",
        "$HTTP[\"host\"] == \"a\" {",
        "a.b = ( \"c\" => 1 )\n",
    ]);
    let piece = prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}
