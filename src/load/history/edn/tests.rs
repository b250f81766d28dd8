//! Histories that are understood, and those that are refused with their line.

use proptest::prelude::*;

use super::*;

/// Action, key, sent, done, and whether it is ok (or unknown: none).
type Row = (RegisterOp, u64, u64, u64, Option<bool>);

fn told(text: &str) -> Vec<Row> {
    let tell = |op: Op| {
        let ok = match op.outcome {
            Outcome::Ok => Some(true),
            Outcome::Fail(_) => Some(false),
            Outcome::Unknown(_) => None,
        };
        let Action::Register(action) = op.action else { panic!("{op:?}") };
        (action, op.key, op.sent.0, op.done.0, ok)
    };
    parse(text).unwrap().into_iter().map(tell).collect()
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
        (RegisterOp::Cas { from: None, to: 4 }, 7, 1, 2, Some(true)),
        (RegisterOp::Read(Some(4)), 7, 3, 4, Some(true)),
    ];
    assert_eq!(told(text), expected);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let begun = "{:process 0 :type :invoke :f :write :value 1 :time 9}\n";
    let cases = [
        ("{:process 0 :type :invoke :f :enqueue :value 1}", "line 1: :f is :enqueue, not"),
        ("\n\n{:process 0 :type :ok :f :read :value 1}", "line 3: process 0 has no such"),
        ("{:process 0 :type :invoke :f :write :value -1}", "line 1: keys and values are whole"),
        ("{:process 0 :type :invoke :f :cas :value 1}", "line 1: a :cas has the value"),
        ("{:process 0 :type :invoke :f :write}", "line 1: what is to be written is missing"),
        ("{:process 0 :type :done :f :read}", "line 1: :type is not"),
        ("{:process x :type}", "line 1: a key without a value"),
        ("{:process 0", "line 1: the file ends in the middle"),
        ("}", "line 1: `}` closes nothing"),
        ("7", "line 1: an operation is a map"),
        (&format!("{begun}{begun}"), "line 2: process 0 has an operation in flight"),
        (&format!("{begun}{{:process 0 :type :ok :f :write :time 8}}"), "line 2: it ended before"),
        (&"[".repeat(100), "line 1: it is nested too deeply"),
    ];
    for (text, expected) in cases {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in r#"[\[\]{}()#:;",\\ a-f0-9\nä-]{0,60}"#) {
        let _ = parse(&text);
    }
}
