//! What regexes are taken, what they cost, and what is said of all others. Envoy's own reading is in `tests/envoy/test_regex.py`.

use canary_split::rule::re2::Re2;

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
        ("x[a-c]", 7),
        ("x[]a]", 7),
        ("x[-a]", 7),
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
        ("(?P<a-b>x)", "the name of a group has letters, digits and _ only: not what is at 5"),
        ("(?x)a", "(?x at 2: only the flags i, m, s and U are supported"),
        ("[a[b]]", r"[ at 2 inside of [ ]: write \["),
        ("[a~~b]", "~~ at 2 inside of [ ]: write it once"),
        ("[a-b-c]", r"- at 4 inside of [ ]: write it first, last or as \-"),
        ("[--a]", r"-- at 1 inside of [ ]: write \-"),
        (r"[\d-z]", r"- at 3 after a class: write it first, last or as \-"),
        (r"[a-\d]", "- at 2: a range must end with a character"),
        ("[[:alpha:x]]", "[: at 1 begins no class such as [:alpha:]"),
        ("[[:nope:]]", "[: at 1 begins no class such as [:alpha:]"),
    ] {
        assert_eq!(Re2::new(pattern).map(|_| ()), Err(problem.to_owned()), "{pattern}");
    }
}
