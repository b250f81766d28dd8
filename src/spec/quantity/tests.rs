//! The meaning of quantities, and that they are written as they are read.

use proptest::prelude::*;

use super::*;

#[test]
fn quantities_mean_what_people_mean() {
    assert_eq!(Time::read("1.5s"), Ok(Time(Duration::from_millis(1500))));
    assert_eq!(Time::read("2 m"), Ok(Time(Duration::from_secs(120))));
    assert_eq!(Shift::read("+2m"), Ok(Shift(120_000_000_000)));
    assert_eq!(Shift::read("-1.5s"), Ok(Shift(-1_500_000_000)));
    assert_eq!(Shift::read("2m").unwrap().to_string(), "+2m");
    assert_eq!(SignedPercent::read("-10%"), Ok(SignedPercent(-10.0)));
    assert!(Shift::read("--2m").is_err() && SignedPercent::read("+-1%").is_err());
    assert_eq!(Bytes::read("1KB"), Ok(Bytes(1024)));
    assert_eq!(Bytes::read("1k"), Ok(Bytes(1000)));
    assert_eq!(Bytes::read("64mb"), Ok(Bytes(64 << 20)));
    assert_eq!(Sizes::read("100B..1KB"), Ok(Sizes(Bytes(100), Bytes(1024))));
    assert_eq!(PerSecond::read("4000/s"), Ok(PerSecond(4000.0)));
    assert_eq!(Percent::read("20%"), Ok(Percent(20.0)));
    assert_eq!(Bandwidth::read("100mbit"), Ok(Bandwidth(100_000_000)));
}

#[test]
fn what_could_be_misunderstood_is_refused() {
    for text in ["5", "-5ms", "5 parsecs", "1e3s", "ms", "", ".5s", "5.s", "1.2.3s", "99999999999h"]
    {
        assert!(Time::read(text).is_err(), "{text}");
    }
    for text in ["100", "1KB..100B", "1XB", "..", "1KB..", "nan%"] {
        assert!(Sizes::read(text).is_err(), "{text}");
    }
    for text in ["4000", "4000/m", "-1/s", "inf/s", "NaN/s"] {
        assert!(PerSecond::read(text).is_err(), "{text}");
    }
    assert!(u32::read("-1").is_err());
    assert!(u16::read("65536").is_err());
}

proptest! {
    #[test]
    fn what_is_written_reads_as_the_same(n in any::<u64>(), shift in 0u32..64, m in any::<u32>()) {
        let n = n >> shift;
        let time = Time(Duration::from_nanos(n));
        prop_assert_eq!(Time::read(&time.to_string()), Ok(time));
        let sizes = Sizes(Bytes(n.min(m.into())), Bytes(n.max(m.into())));
        prop_assert_eq!(Sizes::read(&sizes.to_string()), Ok(sizes));
        let rate = PerSecond(f64::from(m) / 16.0);
        prop_assert_eq!(PerSecond::read(&rate.to_string()), Ok(rate));
        let rates = Rates(rate, PerSecond(5.0));
        prop_assert_eq!(Rates::read(&rates.to_string()), Ok(rates));
        let percent = Percent(f64::from(m) / 7.0);
        prop_assert_eq!(Percent::read(&percent.to_string()), Ok(percent));
        let back = Shift(-((n >> 1) as i64));
        prop_assert_eq!(Shift::read(&back.to_string()), Ok(back));
        let slow = SignedPercent(f64::from(m) / -7.0);
        prop_assert_eq!(SignedPercent::read(&slow.to_string()), Ok(slow));
        let bandwidth = Bandwidth(n);
        prop_assert_eq!(Bandwidth::read(&bandwidth.to_string()), Ok(bandwidth));
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC*") {
        let _ = (Time::read(&text), Sizes::read(&text), PerSecond::read(&text));
        let _ = (Percent::read(&text), Bandwidth::read(&text), f64::read(&text));
    }
}
