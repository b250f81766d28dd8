//! Histories that are understood, and those that are refused with their line.

use proptest::prelude::*;

use super::*;

/// Action, key, sent, done, and whether it is ok (or unknown: none).
type Row = (RegisterOp, u64, u64, u64, Option<bool>);

fn told(text: &str) -> Vec<Row> {
    told_from(text, Some("nil"))
}

fn told_from(text: &str, initial: Option<&str>) -> Vec<Row> {
    let tell = |op: Op| {
        let ok = match op.outcome {
            Outcome::Ok => Some(true),
            Outcome::Fail(_) => Some(false),
            Outcome::Unknown(_) => None,
        };
        let Action::Register(action) = op.action else { panic!("{op:?}") };
        (action, op.key, op.sent.0, op.done.0, ok)
    };
    parse(text, initial).unwrap().ops.into_iter().map(tell).collect()
}

#[test]
fn invocations_are_put_to_their_completions() {
    let text = r#"
        ; as Jepsen's store writes it
        {:process 0, :type :invoke, :f :write, :value 3, :time 10, :index 0}
        #jepsen.history.Op{:process 1 :type :invoke :f :read :value nil :time 11}
        {:process :nemesis, :type :info, :f :start, :value "a \"cut\"", :time 12}
        {:process 0, :type :ok, :f :write, :value 3, :time 13}
        {:process 1, :type :ok, :f :read, :value 3, :time 14}
        {:process 1, :type :invoke, :f :cas, :value [3 4], :time 15}
        {:process 1, :type :fail, :f :cas, :value [3 4], :time 16, :error [:not-found 0.5]}
        {:process 0, :type :invoke, :f :cas, :value [3 5], :time 17}
        {:process 0, :type :info, :f :cas, :value [3 5], :time 18, :error :timeout}
        {:process 2, :type :invoke, :f :write, :value 6, :time 19}
    "#;
    use RegisterOp::{Cas, Read, Write};
    let expected = [
        (Write(3), 0, 10, 13, Some(true)),
        (Read(Some(3)), 0, 11, 14, Some(true)),
        (Cas { from: Some(3), to: 4 }, 0, 15, 16, Some(false)),
        (Cas { from: Some(3), to: 5 }, 0, 17, 18, None),
        (Write(6), 0, 19, 19, None),
    ];
    assert_eq!(told(text), expected);
}

#[test]
fn keys_and_missing_times_and_one_vector_of_all() {
    let text = "[{:process 0 :type :invoke :f :cas :value [7 [nil 4]]}
                 {:process 0 :type :ok :f :cas :value [7 [nil 4]]}
                 {:process 0 :type :invoke :f :read :value [7 nil]}
                 {:process 0 :type :ok :f :read :value [7 4]}]";
    let expected = [
        (RegisterOp::Cas { from: None, to: 4 }, 7, EVENT.0, 2 * EVENT.0, Some(true)),
        (RegisterOp::Read(Some(4)), 7, 3 * EVENT.0, 4 * EVENT.0, Some(true)),
    ];
    assert_eq!(told(text), expected);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let begun = "{:process 0 :type :invoke :f :write :value 1 :time 9}\n";
    let cases = [
        ("{:process 0 :type :invoke :f :enqueue :value 1}", "line 1: :f is :enqueue, not"),
        ("\n\n{:process 0 :type :ok :f :read :value 1}", "line 3: process 0 has no such"),
        ("{:process 0 :type :invoke :f :write :value [1 [2]]}", "line 1: keys and values are"),
        ("{:process 0 :type :invoke :f :txn :value 1}", "line 1: a :txn has the value"),
        ("#_ #_ 1", "line 1: the file ends in the middle"),
        ("0 :invoke :read nil\n0 :ok :write 2", "line 2: process 0 has no such"),
        ("{:process 0 :type :invoke :f :cas :value 1}", "line 1: a :cas has the value"),
        ("{:process 0 :type :invoke :f :write}", "line 1: what is to be written is missing"),
        ("{:process 0 :type :done :f :read}", "line 1: :type is not"),
        ("{:process x :type}", "line 1: a key without a value"),
        ("{:process 0", "line 1: the file ends in the middle"),
        ("}", "line 1: `}` closes nothing"),
        ("[7]", "line 1: an operation is a map"),
        (&format!("{begun}{begun}"), "line 2: process 0 has an operation in flight"),
        (&format!("{begun}{{:process 0 :type :ok :f :write :time 8}}"), "line 2: it ended before"),
        (&"[".repeat(100), "line 1: it is nested too deeply"),
    ];
    for (text, expected) in cases {
        let error = parse(text, None).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

/// Keys and values of every kind, a mark of the byte order, and forms that are taken out.
#[test]
fn keys_and_values_may_be_words() {
    let text =
        "\u{feff}#_{:process 0} [#_#_ 1 2 {:process 0 :type :invoke :f :write :value [\"a b\" :x]}
                 {:process 0 :type :ok :f :write :value [\"a b\" :x]}
                 {:process 0 :type :invoke :f :cas :value [\"a b\" [:x -1]]}
                 {:process 0 :type :ok :f :cas :value [\"a b\" [:x -1]]}
                 {:process 0 :type :invoke :f :write :value [:k \"x\"]}]";
    let history = parse(text, None).unwrap();
    let said = |op: &Op| history.names.tell(&format!("key {}: {:?}", op.key, op.action));
    let said: Vec<String> = history.ops.iter().map(said).collect();
    let expected = [
        "key \"a b\": Register(Write(:x))",
        "key \"a b\": Register(Cas { from: Some(:x), to: -1 })",
        "key :k: Register(Write(\"x\"))",
    ];
    assert_eq!(said, expected);
    assert!(!history.is_timed);
}

/// One time that is missing, or no whole number, says that the file's order counts throughout.
#[test]
fn times_count_only_if_all_are_whole() {
    let history = |second: &str| {
        let text = format!(
            "{{:process 0 :type :invoke :f :write :value 1 :time 900}}
             {{:process :nemesis :type :info :f :cut}}
             {{:process 0 :type :ok :f :write :value 1 {second}}}"
        );
        let history = parse(&text, None).unwrap();
        (history.is_timed, history.ops[0].sent.0, history.ops[0].done.0)
    };
    assert_eq!(history(":time 901"), (true, 900, 901));
    for second in ["", ":time 1.5", ":time nil", ":time -3"] {
        assert_eq!(history(second), (false, EVENT.0, 3 * EVENT.0), "{second}");
    }
}

#[test]
fn what_was_there_at_the_beginning() {
    let text = "{:process 0 :type :invoke :f :read :value [:a nil] :time 0}
                {:process 0 :type :ok :f :read :value [:a nil] :time 5}
                {:process 0 :type :invoke :f :write :value [:b 1] :time 6}";
    use RegisterOp::{Read, Write};
    let (a, b) = (1 << 63, (1 << 63) + 1);
    assert_eq!(told_from(text, None), [(Write(1), b, 6, 6, None)], "nil says nothing");
    assert_eq!(parse(text, None).unwrap().said_nothing, 1);
    let found = [(Read(None), a, 0, 5, Some(true)), (Write(1), b, 6, 6, None)];
    assert_eq!(told_from(text, Some("nil")), found);
    let text = text.replace("[:a nil] :time 5", "[:a 3] :time 5");
    let found = [
        (Write(7), a, 0, 0, Some(true)),
        (Write(7), b, 0, 0, Some(true)),
        (Read(Some(3)), a, 1, 6, Some(true)),
        (Write(1), b, 7, 7, None),
    ];
    assert_eq!(told_from(&text, Some("7")), found);
    let error = parse(&text, Some("[1]")).unwrap_err().to_string();
    assert!(error.contains("the initial value `[1]` is not"), "{error}");
}

/// `history.txt`, and what else a log says.
#[test]
fn lines_are_events_too() {
    let text = "INFO  jepsen.core - Running test
                INFO  jepsen.util - 0\t:invoke\t:write\t3
                4\t:invoke\t:cas\t[3 4]
                :nemesis\t:info\t:start\t\"cut off\"
                INFO  jepsen.util - 0\t:ok\t:write\t3
                4\t:info\t:cas\t:timed-out";
    let at = |event: u64| event * EVENT.0;
    let expected = [
        (RegisterOp::Write(3), 0, at(1), at(4), Some(true)),
        (RegisterOp::Cas { from: Some(3), to: 4 }, 0, at(2), at(5), None),
    ];
    assert_eq!(told(text), expected);
}

#[test]
fn a_transaction_is_one_session() {
    let text = "{:process 0 :type :invoke :f :txn :value [[:r :x nil] [:w :x 2] [:w :y 5] [:r :y nil]] :time 1}
                {:process 0 :type :ok :f :txn :value [[:r :x 1] [:w :x 2] [:w :y 5] [:r :y 5]] :time 2}
                {:process 0 :type :invoke :f :txn :value [[:read :y nil]] :time 3}
                {:process 0 :type :ok :f :txn :value [[:read :y 5]] :time 4}";
    let ops = parse(text, None).unwrap().ops;
    let acts = ops.iter().map(|op| (op.action.clone(), op.part.map(|part| part.session)));
    let register = Action::Register;
    let expected = [
        (register(RegisterOp::Cas { from: Some(1), to: 2 }), Some(0)),
        (register(RegisterOp::Write(5)), Some(0)),
        (register(RegisterOp::Read(Some(5))), None),
    ];
    assert_eq!(acts.collect::<Vec<_>>(), expected);
    let odd = text.replace("[:r :y 5]]", "[:r :y 6]]");
    assert!(parse(&odd, None).unwrap_err().to_string().contains("read what it had not left"));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in r#"[\[\]{}()#_:;",\\ a-f0-9\nä-]{0,60}"#) {
        let _ = parse(&text, Some("0"));
    }
}

#[test]
fn a_value_without_end_is_refused_with_its_limit() {
    let long = "9".repeat(70_000);
    for value in [long.clone(), format!("\"{long}\"")] {
        let text = format!("{{:process 0, :type :invoke, :f :write, :value {value}}}");
        let why = parse(&text, None).unwrap_err().to_string();
        assert_eq!(why, "line 1: one value has more than 64000 bytes, the limit");
    }
}
