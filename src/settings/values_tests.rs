use proptest::prelude::*;

use super::*;

/// Proves: CN1 (L, P)
#[test]
fn cn1_switches() {
    for text in ["true", "TRUE", "yes", "on", "1"] {
        assert_eq!(parse_bool(text), Ok(true), "{text}");
    }
    for text in ["false", "No", "off", "0"] {
        assert_eq!(parse_bool(text), Ok(false), "{text}");
    }
    let message = parse_bool("t").expect_err("not a switch").to_string();
    assert!(
        message.starts_with("'t' is neither true nor false; write true"),
        "{message}"
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_integers_as_the_go_package_reads_them() {
    let good = [
        ("42", 42),
        ("-17", -17),
        ("+5", 5),
        ("007", 7),
        ("0x1F", 31),
        ("-0x1f", -31),
        ("0x_1f", 31),
    ];
    for (text, number) in good {
        assert_eq!(parse_plain_int(text), Ok(number), "{text}");
    }
    for text in [
        "", "+", "--1", "- 1", "0X1F", "+0x1F", "0x", "0x1__f", "0x1f_", "1_000", "5 MB", "1e3", "0o17",
    ] {
        assert_eq!(
            parse_plain_int(text),
            Err(ValueError::Int(text.to_owned())),
            "{text}"
        );
    }
    assert!(matches!(
        parse_plain_int("9223372036854775808"),
        Err(ValueError::TooLarge(_))
    ));
    assert_eq!(parse_plain_int("-9223372036854775808"), Ok(i64::MIN));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_counts_also_in_exponent_form() {
    assert_eq!(parse_count("1.073741824e+09"), Ok(1_073_741_824));
    assert_eq!(parse_count("3"), Ok(3));
    assert!(matches!(parse_count("-1"), Err(ValueError::Negative(_))));
    assert!(matches!(parse_count("1.5"), Err(ValueError::Int(_))));
    assert!(matches!(parse_count("1e30"), Err(ValueError::Int(_))));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_durations_have_gos_form() {
    let good: [(&str, u64); 14] = [
        ("12h", 43_200_000_000_000),
        ("1m15s", 75_000_000_000),
        ("500ms", 500_000_000),
        ("300s", 300_000_000_000),
        ("1.5h", 5_400_000_000_000),
        (".5s", 500_000_000),
        ("7us", 7_000),
        ("7\u{b5}s", 7_000),
        ("7ns", 7),
        ("1000000000", 1_000_000_000),
        ("1e+09", 1_000_000_000),
        ("0", 0),
        ("+3m", 180_000_000_000),
        ("1h0m0.5s", 3_600_500_000_000),
    ];
    for (text, nanoseconds) in good {
        assert_eq!(
            parse_duration(text),
            Ok(Duration::from_nanos(nanoseconds)),
            "{text}"
        );
    }
    for text in ["5 m", "h", "5x", "1..5s", "m5", "five", "1.5", "5m3"] {
        assert!(
            matches!(parse_duration(text), Err(ValueError::Duration(_))),
            "{text}"
        );
    }
    assert!(matches!(parse_duration("30d"), Err(ValueError::Days(_))));
    assert!(matches!(parse_duration("-5s"), Err(ValueError::Negative(_))));
    assert!(matches!(
        parse_duration("99999999999h"),
        Err(ValueError::TooLarge(_))
    ));
    assert!(matches!(parse_duration(" "), Err(ValueError::Empty)));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_sizes_are_decimal_or_binary() {
    let good = [
        ("42", 42),
        ("5 MB", 5_000_000),
        ("5MB", 5_000_000),
        ("5M", 5_000_000),
        ("5 mb", 5_000_000),
        ("5 KiB", 5_120),
        ("512Mi", 536_870_912),
        ("1.5 GB", 1_500_000_000),
        ("7 B", 7),
        ("1.073741824e+09", 1_073_741_824),
        ("1 TiB", 1_099_511_627_776),
        ("0", 0),
    ];
    for (text, bytes) in good {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for text in ["MB", "5 XB", "5 i", "5 iB", "5 M B", "1,5 MB", "5 MBB"] {
        assert_eq!(parse_size(text), Err(ValueError::Size(text.to_owned())), "{text}");
    }
    assert!(matches!(parse_size("99999 EB"), Err(ValueError::TooLarge(_))));
    assert!(matches!(parse_size("-1"), Err(ValueError::Negative(_))));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_decimals() {
    for (text, thousandths) in [
        ("3.14", 3_140),
        ("7.", 7_000),
        ("2", 2_000),
        (".217", 217),
        ("0.0001", 0),
    ] {
        assert_eq!(parse_thousandths(text), Ok(thousandths), "{text}");
    }
    for text in ["", ".", "inf", "NaN", "1.2.3", "0x1", "e5"] {
        assert_eq!(
            parse_thousandths(text),
            Err(ValueError::Decimal(text.to_owned())),
            "{text}"
        );
    }
    assert!(matches!(parse_thousandths("-0.5"), Err(ValueError::Negative(_))));
}

/// Proves: SV1 (L)
#[test]
fn sv1_a_supervisor_is_split_as_a_shell_splits_it() {
    let good: [(&str, &[&str]); 6] = [
        ("/usr/bin/nice -n 2", &["/usr/bin/nice", "-n", "2"]),
        (
            "  /a  'b c'  \"d \\\" e\" f\\ g ",
            &["/a", "b c", "d \" e", "f g"],
        ),
        ("/a '' \"\"", &["/a", "", ""]),
        ("/a --x='1 2'\"3\"", &["/a", "--x=1 23"]),
        ("'/with blank/x' '\\n'", &["/with blank/x", "\\n"]),
        ("   ", &[]),
    ];
    for (text, words) in good {
        assert_eq!(parse_command(text).expect(text), words, "{text}");
    }
    assert!(matches!(
        parse_command("/a 'b"),
        Err(ValueError::OpenQuote(_, '\''))
    ));
    assert!(matches!(
        parse_command("/a b\\"),
        Err(ValueError::EndsInBackslash(_))
    ));
}

/// Proves: SV1 (L)
#[test]
fn sv1_a_supervisor_is_an_absolute_path() {
    let message = parse_command("nice -n 2").expect_err("relative").to_string();
    assert!(
        message.starts_with("the program 'nice' is not an absolute path"),
        "{message}"
    );
    assert!(matches!(
        parse_command("'' /bin/x"),
        Err(ValueError::RelativeProgram(_))
    ));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_a_wrong_choice_is_told_the_right_one() {
    assert_eq!(
        parse_choice("Major-Minor", &["nearest", "major-minor"]),
        Ok("major-minor")
    );
    let message = parse_choice("neerest", &["nearest", "exact"])
        .expect_err("misspelt")
        .to_string();
    assert_eq!(
        message,
        "'neerest' is not one of nearest, exact; did you mean 'nearest'?"
    );
}

proptest! {
    /// Proves: CN1 (L, P)
    #[test]
    fn cn1_no_text_breaks_a_parser(text in "[0-9.eE+hmsKiB 'd\"\\\\/-]{0,24}|\\PC{0,12}") {
        let _ = (parse_count(&text), parse_duration(&text), parse_size(&text), parse_thousandths(&text));
        let _ = (parse_command(&text), parse_bool(&text));
    }

    /// Proves: SV1 (L)
    #[test]
    fn sv1_quoted_words_come_back(words in proptest::collection::vec("\\PC{0,8}", 0..4)) {
        let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''")));
        let line = std::iter::once("/x".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(&parse_command(&line).expect("quoted")[1..], words.as_slice());
    }
}
