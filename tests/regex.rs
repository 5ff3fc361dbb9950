//! Which regexes are accepted, their cost, and the errors for all others. Envoy's own reading is in `tests/envoy/test_regex.py`.

use canary_split::rule::re2::{Effort, Re2};

#[test]
fn every_part_counts_as_often_as_it_is_repeated() {
    for (pattern, steps) in [
        ("a", 2),
        ("abc", 4),
        (r"a\d", 3),
        ("a|b", 4),
        ("a*", 3),
        ("a{2}", 5),
        ("a{2,}", 5),
        ("a{2,3}", 6),
        ("a{0}", 4),
        ("x[a-c]", 3),
        ("x[]a]", 3),
        ("x[-a]", 3),
        ("(?:ab)", 6),
        ("(?:ab){10}", 57),
    ] {
        assert_eq!(Re2::new(pattern).map(|regex| regex.steps()), Ok(steps), "{pattern}");
    }
}

#[test]
fn what_has_a_meaning_elsewhere_is_a_character_where_it_has_none() {
    for (pattern, value) in [
        ("[](]", "("),
        ("[]**]", "*"),
        ("[a&b]+", "a&"),
        ("[[:digit:](]", "("),
        (r"[\dab]", "a"),
        (r"[\t-\r]", "\n"),
        ("(?P<a_1>x)", "x"),
        ("(?<a_1>x)", "x"),
        ("(?s-m:.)", "\n"),
        ("(?U)a+", "aaa"),
        ("a{2,3}", "aaa"),
        ("a{2,3}?", "aa"),
        (r"\x{41}\x42", "AB"),
        ("(?i)\\x41", "a"),
        ("(?-i)k", "k"),
        ("(?i)[a-j]", "J"),
        ("(?i)[l-r]", "L"),
        ("(?i)[t-z]", "T"),
        ("(?i)[[:digit:]]", "7"),
    ] {
        let regex = Re2::new(pattern).unwrap_or_else(|problem| panic!("{pattern}: {problem}"));
        assert!(regex.is_match(value.as_bytes()), "{pattern} on {value:?}");
    }
}

#[test]
fn what_is_refused_is_named_with_its_place() {
    let hex = |at: usize| format!(r"\x at {at}: write \xHH or \x{{H…}}");
    let bounds = |at: usize| format!(r"{{ at {at}: write {{n}}, {{n,}} or {{n,m}}, or \{{ for the character");
    for (pattern, problem) in [
        (")", "a ) without a ( at 0"),
        ("a)(b", "a ) without a ( at 1"),
        ("(?:a", "a ( without a )"),
        ("(?i", "a ( without a )"),
        ("(?P<a", "a ( without a )"),
        ("[a", "a [ without a ]"),
        ("[]", "a [ without a ]"),
        (r"a\", r"a \ at the end"),
        ("*a", "* at 0 has nothing to repeat"),
        ("a**", "* at 2 repeats a repetition; put the inner one in (?:…)"),
        ("a{,3}", &bounds(1)),
        ("a{x}", &bounds(1)),
        ("a{3", &bounds(1)),
        ("a{3,2}", "{n,m} at 1: the first number is the larger one"),
        (r"\xg1", &hex(1)),
        (r"\x4", &hex(1)),
        (r"\x{}", &hex(1)),
        (r"\x{41", &hex(1)),
        (r"\x{d800}", &hex(1)),
        (r"\Q", r"\Q at 1 is not supported"),
        (r"\_", r"\_ at 1 is not supported"),
        (r"\pL", r"\p at 1: Unicode classes are not supported"),
        (r"[\S]", r"\S at 2 is not supported"),
        (r"[\b]", r"\b at 2 is not supported"),
        (r"\b{start}", r"\b{ at 1: RE2 has no such escape"),
        ("(?Px)", "(?P must go on with <name>"),
        ("(?=a)", "(?= at 2: RE2 has no look-around"),
        ("(?<!a)", "(?<! at 3: RE2 has no look-around"),
        ("(?<>x)", "the name of a group begins with a letter or _: not what is at 3"),
        ("(?P<1a>x)", "the name of a group begins with a letter or _: not what is at 4"),
        ("(?<a>x)(?<a>y)", "the name of the group at 10 is given twice"),
        ("(?)a", "(? at 2: a flag is missing"),
        ("(?i-)a", "(? at 2: a flag is missing"),
        ("(?i-s-m)a", "(? at 2: - is given twice"),
        ("(?si-s)a", "(? at 2: s is given twice"),
        ("(?P<a-b>x)", "the name of a group has letters, digits and _ only: not what is at 5"),
        ("(?x)a", "(?x at 2: only the flags i, m, s and U are supported"),
        ("[a[b]]", r"[ at 2 inside [ ]: write \["),
        ("[a~~b]", "~~ at 2 inside [ ]: write it once"),
        ("[a-b-c]", r"- at 4 inside [ ]: write it first, last or as \-"),
        ("[--a]", r"-- at 1 inside [ ]: write \-"),
        (r"[\d-z]", r"- at 3 after a class: write it first, last or as \-"),
        (r"[a-\d]", "- at 2: a range must end with a character"),
        ("[[:alpha:x]]", "[: at 1 begins no class such as [:alpha:]"),
        ("[[:nope:]]", "[: at 1 begins no class such as [:alpha:]"),
    ] {
        assert_eq!(Re2::new(pattern).map(|_| ()), Err(problem.to_owned()), "{pattern}");
    }
    let deep = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Re2::new(&deep(50)).is_ok());
    assert_eq!(Re2::new(&deep(51)).map(|_| ()), Err("( at 50 is inside more than 50 others".to_owned()));
    let long = "more than 32000 characters, classes and repetitions, each as often as it is repeated";
    assert_eq!(Re2::new(&format!("(?:{}){{1000}}", "a".repeat(33))).map(|_| ()), Err(long.to_owned()));
    assert_eq!(Re2::new(&"a".repeat(32_001)).map(|_| ()), Err(long.to_owned()));
}

#[test]
fn what_could_cost_too_much_is_refused() {
    let problem = "a value of 60 KB could cost more than 20 ms: write smaller counts, or classes that do not match what is before them";
    for (pattern, is_taken) in [
        (".*a{0,400}x", true),
        (".*a{0,1000}x", false),
        ("a{0,1000}x.*", true),
        (".*a.{16}", true),
        (".*a.{40}", false),
        ("(a|b)*a(a|b){12}", true),
        ("(a|b)*a(a|b){20}", false),
        ("(?:.*,){100}x", true),
        ("(?:.*a.*b){250}", false),
        ("(?:[a-z]{1,30}/){1,30}.*", true),
        (&format!("/(?:{}b){{1000}}", r"\w".repeat(18)), true),
    ] {
        let regex = Re2::new(pattern).map(|_| ());
        assert_eq!(regex, if is_taken { Ok(()) } else { Err(problem.to_owned()) }, "{pattern}");
    }
}

#[test]
fn what_was_spent_on_dear_regexes_is_not_missing_for_cheap_ones() {
    let effort = Effort::default();
    for n in 0..40 {
        assert!(Re2::with(&format!(".*a{{0,{}}}x", 1000 - n), &effort).is_err());
    }
    // A bound that takes no looks is enough for these.
    assert!(Re2::with("/api/v[0-9]+/.*", &effort).is_ok());
    // The same one is looked at once.
    let effort = Effort::default();
    for _ in 0..1000 {
        assert!(Re2::with("(a|b)*a(a|b){12}", &effort).is_ok());
    }
}

/// What the regex crate reads as RE2 reads our pattern.
fn theirs(pattern: &str) -> regex::bytes::Regex {
    let ascii = [
        (r"\w", "[0-9A-Za-z_]"),
        (r"\W", "[^0-9A-Za-z_]"),
        (r"\d", "[0-9]"),
        (r"\D", "[^0-9]"),
        (r"\s", r"[\t\n\f\r ]"),
    ];
    let looks = [(r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)")];
    let translated =
        ascii.iter().chain(&looks).fold(pattern.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs));
    regex::bytes::Regex::new(&format!(r"\A(?:{translated})\z")).unwrap()
}

#[test]
fn random_regexes_mean_what_they_mean_to_another_engine() {
    const ATOMS: [&str; 32] = [
        "a",
        "b",
        "ab",
        ".",
        "ä",
        "[a-c]",
        "[^b]",
        r"\d",
        r"\w",
        r"\W",
        r"\D",
        r"\s",
        r"\b",
        r"\B",
        "^",
        "$",
        "(a|b)",
        "(?:ab|b|)",
        "(?s:.)",
        "(?m:^)",
        "(?m:$)",
        "|",
        "-",
        r"\n",
        r"[^a\n]",
        "(?:a*b?)",
        "()",
        "[äb-d]",
        r"\x{1F600}",
        "[[:alpha:]_]",
        r"\A",
        r"\z",
    ];
    const REPEATS: [&str; 13] = ["", "", "", "", "*", "+", "?", "{2}", "{1,3}", "*?", "{0,2}?", "{0}", "{2,}"];
    const PARTS: [&[u8]; 15] = [
        b"a",
        b"b",
        b"ab",
        b"c",
        "ä".as_bytes(),
        b"\n",
        b"-",
        b"1",
        b"_",
        b" ",
        "😀".as_bytes(),
        b"A",
        "é".as_bytes(),
        b"\xff",
        b"\xc3",
    ];
    let mut chance = fastrand::Rng::with_seed(18);
    let (mut compared, mut matched) = (0, 0);
    while compared < 100_000 {
        let mut pattern = String::new();
        let mut depth = 0;
        for _ in 0..chance.usize(1..8) {
            if chance.u8(..6) == 0 {
                pattern.push_str(chance.choice(["(?:", "("]).unwrap());
                depth += 1;
                continue;
            }
            pattern.push_str(chance.choice(ATOMS).unwrap());
            pattern.push_str(chance.choice(REPEATS).unwrap());
            if depth > 0 && chance.u8(..3) == 0 {
                pattern.push(')');
                pattern.push_str(chance.choice(REPEATS).unwrap());
                depth -= 1;
            }
        }
        pattern.push_str(&")".repeat(depth));
        let Ok(ours) = Re2::new(&pattern) else { continue };
        let theirs = theirs(&pattern);
        for _ in 0..20 {
            let value: Vec<u8> = (0..chance.usize(..7)).flat_map(|_| chance.choice(PARTS).unwrap().to_vec()).collect();
            let expected = std::str::from_utf8(&value).is_ok() && theirs.is_match(&value);
            assert_eq!(ours.is_match(&value), expected, "{pattern:?} on {:?}", String::from_utf8_lossy(&value));
            compared += 1;
            matched += usize::from(expected);
        }
    }
    assert!(matched > 5_000, "{matched}");
}

#[test]
fn states_that_are_too_many_are_not_kept_and_nothing_else_changes() {
    // More states than fit, always new ones, and then few.
    let pattern = ".*a.{13}c*";
    let (ours, theirs) = (Re2::new(pattern).unwrap(), theirs(pattern));
    let mut chance = fastrand::Rng::with_seed(3);
    for round in 0..40 {
        let mut value: String =
            (0..chance.usize(..4000)).map(|_| *["a", "b", "ä"].get(chance.usize(..3)).unwrap()).collect();
        if round % 2 == 0 {
            value.push_str(&"b".repeat(chance.usize(..6000)));
        }
        value.push_str(&"c".repeat(chance.usize(..3)));
        assert_eq!(ours.is_match(value.as_bytes()), theirs.is_match(value.as_bytes()), "{value}");
        let cut = &value.as_bytes()[..value.len().saturating_sub(1)];
        assert_eq!(ours.is_match(cut), std::str::from_utf8(cut).is_ok() && theirs.is_match(cut), "{value}");
    }
}

#[test]
fn a_character_may_be_cut_wherever_a_value_is_read_in_pieces() {
    let regex = Re2::new("a*(?:ä|😀)*b").unwrap();
    for before in 1015..1030 {
        for more in ["ä", "😀", "ä😀"] {
            let value = format!("{}{more}b", "a".repeat(before));
            assert!(regex.is_match(value.as_bytes()), "{before} {more}");
            let bytes = value.as_bytes();
            assert!(!regex.is_match(&bytes[..bytes.len() - 2]), "{before} {more}");
            assert!(!regex.is_match(&[&bytes[..bytes.len() - 2], b"b"].concat()), "{before} {more}");
        }
    }
}

#[test]
fn many_regexes_share_the_room_for_states() {
    let regexes: Vec<Re2> = (0..6000).map(|n| Re2::new(&format!("[a-z]*-{n}(?:x|y)*")).unwrap()).collect();
    for _ in 0..2 {
        for (n, regex) in regexes.iter().enumerate() {
            assert!(regex.is_match(format!("shop-{n}xyxy").as_bytes()), "{n}");
            assert!(!regex.is_match(format!("shop-{n}xyz").as_bytes()), "{n}");
        }
    }
    // And so do large ones.
    let large: Vec<Re2> = (300..312).map(|n| Re2::new(&format!(".*a{{0,{n}}}x")).unwrap()).collect();
    for _ in 0..2 {
        for regex in &large {
            assert!(regex.is_match(format!("{}x", "a".repeat(600)).as_bytes()));
            assert!(!regex.is_match(format!("{}y", "a".repeat(600)).as_bytes()));
        }
    }
}
