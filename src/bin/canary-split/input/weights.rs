//! One notation for weights: `v2=25%`, `v1=75 v2=25`, `75/25`.
//!
//! Knows nothing about files: a present split and arguments → the new weights.

use super::quoted::quoted;

/// A subset of the present split, and its weight; `None` if the written value is not a weight.
pub type Present = (String, Option<u32>);

/// The new weights of a split, all of them, in its order.
#[derive(Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Stable first.
    pub weights: Vec<(String, u32)>,
    /// The sum before and after, if it changes only to make a percentage exact.
    pub scaled: Option<(u64, u64)>,
}

/// The largest weight, and the largest sum of them.
const MAX: u64 = u32::MAX as u64;
/// More decimals make no difference to any draw.
const MAX_DIGITS: usize = 9;

/// Whether an argument is about weights and not a name.
pub fn is_weights(word: &str) -> bool {
    word.contains(['=', '/', '%', ','])
}

/// Weights in the order of a split, as in `75/25`.
pub fn list(text: &str) -> Result<Vec<u32>, String> {
    if text.contains(',') {
        return Err(format!("{}: weights are divided by a slash, as in 75/25", quoted(text)));
    }
    text.split('/').map(|weight| number(text, weight)).collect()
}

/// The new weights of a split by these arguments.
pub fn resolve(arguments: &[String], split: &[Present]) -> Result<Resolved, String> {
    if let [only] = arguments
        && !only.contains('=')
    {
        return Ok(Resolved { weights: in_order(only, split)?, scaled: None });
    }
    let mut percents = Vec::new();
    let mut numbers = Vec::new();
    for argument in arguments {
        let Some((subset, amount)) = argument.split_once('=') else { return Err(not_weights(argument)) };
        let place = split
            .iter()
            .position(|(name, _)| name == subset)
            .ok_or_else(|| format!("{}: no subset {}; there are {}", quoted(argument), quoted(subset), names(split)))?;
        if percents.iter().any(|(at, _)| *at == place) || numbers.iter().any(|(at, _)| *at == place) {
            return Err(format!("{}: {subset} is given twice", quoted(argument)));
        }
        match amount.strip_suffix('%') {
            Some(percent) => percents.push((place, Percent::read(argument, percent)?)),
            None => numbers.push((place, number(argument, amount)?)),
        }
    }
    match (percents.as_slice(), numbers.as_slice()) {
        ([], []) => Err("no weights are given, such as v2=25%".to_owned()),
        (percents, []) => by_percent(percents, split),
        ([], numbers) => Ok(Resolved { weights: by_number(arguments, numbers, split)?, scaled: None }),
        _ => Err(format!(
            "{}: percentages and weights together; write all of them in one way",
            quoted(arguments.join(" "))
        )),
    }
}

fn not_weights(argument: &str) -> String {
    format!("{}: no weights; write v2=25%, v1=75 v2=25, or 75/25", quoted(argument))
}

fn names(split: &[Present]) -> String {
    split.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

fn number(argument: &str, text: &str) -> Result<u32, String> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| {
        let place = if argument == text { String::new() } else { format!("{}: ", quoted(argument)) };
        format!("{place}{} is not a weight: an integer from 0 to {MAX}", quoted(text))
    })
}

/// `75/25`: all of them.
fn in_order(argument: &str, split: &[Present]) -> Result<Vec<(String, u32)>, String> {
    if !argument.contains(['/', ',']) {
        return Err(not_weights(argument));
    }
    let weights = list(argument)?;
    if weights.len() != split.len() {
        return Err(format!(
            "{}: {} weights; the split has {} subsets: {}",
            quoted(argument),
            weights.len(),
            split.len(),
            names(split)
        ));
    }
    Ok(split.iter().zip(weights).map(|((name, _), weight)| (name.clone(), weight)).collect())
}

/// The present weights; all of them must be valid.
fn present(split: &[Present]) -> Result<Vec<u64>, String> {
    let weight = |(name, weight): &Present| {
        weight.map(u64::from).ok_or_else(|| {
            format!(
                "the present weight of {name} is not from 0 to {MAX}; give all weights, as in 75/25: {}",
                names(split)
            )
        })
    };
    split.iter().map(weight).collect()
}

fn named(split: &[Present], weights: &[u64]) -> Result<Vec<(String, u32)>, String> {
    let narrow = |((name, _), weight): (&Present, &u64)| {
        u32::try_from(*weight)
            .map(|weight| (name.clone(), weight))
            .map_err(|_| format!("the weight of {name} would be {weight}, which is more than {MAX}"))
    };
    split.iter().zip(weights).map(narrow).collect()
}

/// `v1=75 v2=25`: weights as they are. The other weights stay, and so must the sum.
fn by_number(arguments: &[String], given: &[(usize, u32)], split: &[Present]) -> Result<Vec<(String, u32)>, String> {
    let is_given = |place: usize| given.iter().any(|(at, _)| *at == place);
    if (0..split.len()).all(is_given) {
        let weight = |(at, (name, _)): (usize, &Present)| {
            let new = given.iter().find(|(place, _)| *place == at).map_or(0, |(_, weight)| *weight);
            (name.clone(), new)
        };
        return Ok(split.iter().enumerate().map(weight).collect());
    }
    let old = present(split)?;
    let mut new = old.clone();
    for (place, weight) in given {
        if let Some(own) = new.get_mut(*place) {
            *own = u64::from(*weight);
        }
    }
    let (before, after): (u64, u64) = (old.iter().sum(), new.iter().sum());
    if before != after {
        return Err(two_readings(arguments, given, split, &new, before));
    }
    named(split, &new)
}

/// Why `v2=25` alone is not clear.
fn two_readings(arguments: &[String], given: &[(usize, u32)], split: &[Present], new: &[u64], before: u64) -> String {
    let name = |place: usize| split.get(place).map(|(name, _)| name.as_str()).unwrap_or_default();
    let after: u64 = new.iter().sum();
    let mut readings = Vec::new();
    let sum: u64 = given.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let is_stable = |(place, _): &(usize, u32)| *place == 0;
    if sum <= 100 && (split.len() == 2 || !given.iter().any(is_stable)) {
        let percents: Vec<String> = given.iter().map(|(place, weight)| format!("{}={weight}%", name(*place))).collect();
        readings.push(format!("{} for {sum} of 100 requests", percents.join(" ")));
    }
    // One gives or takes, stable if it may.
    let giver = (0..split.len()).find(|place| !given.iter().any(|(at, _)| at == place));
    if let Some(giver) = giver {
        let others: u64 = new.iter().enumerate().filter(|(at, _)| *at != giver).map(|(_, weight)| weight).sum();
        let (own, total) = match before.checked_sub(others) {
            Some(own) => (own.to_string(), before.to_string()),
            None => ("…".to_owned(), "…".to_owned()),
        };
        let word = |(at, weight): (usize, &u64)| match at {
            at if at == giver => Some(format!("{}={own}", name(at))),
            at if given.iter().any(|(place, _)| *place == at) => Some(format!("{}={weight}", name(at))),
            _ => None,
        };
        let words: Vec<String> = new.iter().enumerate().filter_map(word).collect();
        readings.push(format!("{} for weights that add up to {total}", words.join(" ")));
    }
    format!(
        "{}: the weights would add up to {after} instead of {before}; write {}",
        quoted(arguments.join(" ")),
        readings.join(", or ")
    )
}

/// An exact percentage, in hundredths of 10⁻ⁿ.
struct Percent {
    /// In units of which `whole` are everything.
    part: u64,
    whole: u64,
    text: String,
}

impl Percent {
    fn read(argument: &str, text: &str) -> Result<Percent, String> {
        let (before, after) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let wrong = || {
            format!(
                "{}: {} is not a percentage: a number from 0 to 100 with at most {MAX_DIGITS} decimals, as in 25% or 12.5%",
                quoted(argument),
                quoted(format!("{text}%"))
            )
        };
        if !is_number(before) || text.contains('.') && !is_number(after) || after.len() > MAX_DIGITS {
            return Err(wrong());
        }
        let after = after.trim_end_matches('0');
        let whole = 100 * 10_u64.pow(after.len() as u32);
        let part = format!("{before}{after}").parse().ok().filter(|part| *part <= whole).ok_or_else(wrong)?;
        Ok(Percent { part, whole, text: format!("{text}%") })
    }
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// `v2=25%`: stable gives or takes, other canaries keep their share. The sum stays, or grows until the percentage is exact.
fn by_percent(given: &[(usize, Percent)], split: &[Present]) -> Result<Resolved, String> {
    let name = |place: usize| split.get(place).map(|(name, _)| name.as_str()).unwrap_or_default();
    let words = || given.iter().map(|(at, percent)| format!("{}={}", name(*at), percent.text)).collect::<Vec<_>>();
    let (argument, of) = (words().join(" "), given.first().map_or(100, |(_, percent)| percent.whole));
    let whole = given.iter().fold(of, |whole, (_, percent)| whole.max(percent.whole));
    let part = |percent: &Percent| percent.part * (whole / percent.whole);
    let sum: u64 = given.iter().map(|(_, percent)| part(percent)).sum();
    let is_all = given.len() == split.len();
    if is_all && sum != whole {
        return Err(format!("{}: together {}, not 100 %", quoted(&argument), shown(sum, whole)));
    }
    let is_stable = given.iter().any(|(place, _)| *place == 0);
    if is_stable && !is_all && split.len() > 2 {
        return Err(format!(
            "{}: {} is stable and has what the canaries leave; say which of them gives or takes: {}",
            quoted(&argument),
            name(0),
            names(split.get(1..).unwrap_or_default())
        ));
    }
    // The parts of the canaries, in units of `whole`.
    let canaries: Vec<(usize, u64)> = match given {
        [(0, percent)] if split.len() == 2 => vec![(1, whole - part(percent))],
        _ => given.iter().filter(|(at, _)| *at > 0).map(|(at, percent)| (*at, part(percent))).collect(),
    };
    let given_to = |place: usize| canaries.iter().find(|(at, _)| *at == place).map(|(_, part)| *part);
    let is_free = canaries.len() + 1 == split.len();
    let mut old = if is_free {
        // Only their sum stays.
        present(split).or_else(|_| Ok::<_, String>(vec![0; split.len()]))?
    } else {
        present(split)?
    };
    if old.iter().sum::<u64>() == 0 {
        old = (0..split.len()).map(|place| if place == 0 { 100 } else { 0 }).collect();
    }
    let mut before: u64 = old.iter().sum();
    let was = before;
    let too_much =
        || format!("{}: exact only with weights that add up to more than {MAX}; leave out decimals", quoted(&argument));
    // The factor by which a sum has to grow to be exact.
    let scale_of = |sum: u64| {
        canaries.iter().try_fold(1_u64, |scale, (_, part)| {
            let least = whole / divisor(whole, sum.checked_mul(*part)?);
            scale.checked_mul(least / divisor(scale, least))
        })
    };
    let mut scale = scale_of(before).ok_or_else(too_much)?;
    // Weights that grow with each edit would end at the limit.
    if scale > 1 && is_free && scale_of(100) == Some(1) {
        (before, scale) = (100, 1);
    }
    let after = before.checked_mul(scale).filter(|after| *after <= MAX).ok_or_else(too_much)?;
    let share = |(place, own): (usize, &u64)| match given_to(place) {
        // Both fit: the sum is below 2³², and so is the whole below 2³⁷.
        Some(part) => (u128::from(after) * u128::from(part) / u128::from(whole)) as u64,
        None => own * scale,
    };
    let mut new: Vec<u64> = old.iter().enumerate().map(share).collect();
    let taken: u64 = new.iter().skip(1).sum();
    let Some(left) = after.checked_sub(taken) else {
        let is_other = |place: &usize| *place > 0 && given_to(*place).is_none();
        let others: Vec<usize> = (0..split.len()).filter(is_other).collect();
        let kept: u64 = others.iter().filter_map(|place| new.get(*place)).sum();
        return Err(if others.is_empty() {
            format!("{}: together {}, which is more than 100 %", quoted(&argument), shown(sum, whole))
        } else {
            let others: Vec<&str> = others.iter().map(|place| name(*place)).collect();
            let verb = if others.len() == 1 { "has" } else { "have" };
            format!(
                "{}: {} {verb} {}, so {} are left",
                quoted(&argument),
                others.join(", "),
                shown(kept, after),
                shown(after - kept, after)
            )
        });
    };
    if let Some(stable) = new.first_mut() {
        *stable = left;
    }
    Ok(Resolved { weights: named(split, &new)?, scaled: (was != after).then_some((was, after)) })
}

/// A share in percent, with two decimals.
fn shown(part: u64, whole: u64) -> String {
    let hundredths = (u128::from(part) * 10_000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::{Present, Resolved, list, resolve};

    fn split(text: &str) -> Vec<Present> {
        text.split('/').zip(1..).map(|(weight, at)| (format!("v{at}"), weight.parse().ok())).collect()
    }

    fn resolved(arguments: &str, text: &str) -> Result<(String, Option<(u64, u64)>), String> {
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        resolve(&arguments, &split(text)).map(|Resolved { weights, scaled }| {
            let weights: Vec<String> = weights.iter().map(|(_, weight)| weight.to_string()).collect();
            (weights.join("/"), scaled)
        })
    }

    #[test]
    fn what_is_meant_is_what_comes_of_it() {
        for (arguments, before, after, scaled) in [
            // Percent of the sum, whatever the sum is.
            ("v2=25%", "80/20", "75/25", None),
            ("v2=0%", "80/20", "100/0", None),
            ("v2=100%", "80/20", "0/100", None),
            ("v2=25%", "160/40", "150/50", None),
            ("v2=50%", "1/1", "1/1", None),
            // Stable gives, the other canary keeps its share.
            ("v2=25%", "70/10/20", "55/25/20", None),
            ("v2=25% v3=5%", "70/10/20", "70/25/5", None),
            ("v2=80%", "70/10/20", "0/80/20", None),
            // Scaled only as far as it has to be.
            ("v2=12.5%", "80/20", "175/25", Some((100, 200))),
            ("v2=12.5%", "800/200", "875/125", None),
            ("v2=25%", "2/1", "75/25", Some((3, 100))),
            ("v2=20%", "64/0", "80/20", Some((64, 100))),
            ("v2=12.5% v3=0.1%", "100/0/0", "874/125/1", Some((100, 1000))),
            ("v3=12.5%", "70/10/20", "155/20/25", Some((100, 200))),
            ("v2=25.00%", "80/20", "75/25", None),
            ("v2=0.000001%", "100/0", "99999999/1", Some((100, 100_000_000))),
            // Stable's own is clear with one canary, or if all are given.
            ("v1=75%", "80/20", "75/25", None),
            ("v1=75% v2=25%", "80/20", "75/25", None),
            ("v1=70% v2=20% v3=10%", "100/0/0", "70/20/10", None),
            ("v1=100%", "7", "7", None),
            // Weights as they are.
            ("v1=75 v2=25", "80/20", "75/25", None),
            ("v2=3 v1=7", "80/20", "7/3", None),
            ("v2=20", "80/20", "80/20", None),
            ("v2=10 v3=20", "70/20/10", "70/10/20", None),
            ("v1=0 v2=0", "80/20", "0/0", None),
            ("75/25", "80/20", "75/25", None),
            ("1/2/3", "80/20/0", "1/2/3", None),
            ("4294967295/0", "80/20", "4294967295/0", None),
            // An invalid weight is replaced.
            ("75/25", "80/x", "75/25", None),
            ("v1=75 v2=25", "x/x", "75/25", None),
            ("v2=25%", "80/x", "75/25", None),
            ("v2=25%", "0/0", "75/25", None),
        ] {
            assert_eq!(resolved(arguments, before), Ok((after.to_owned(), scaled)), "{arguments} of {before}");
        }
    }

    #[test]
    fn what_is_not_clear_or_not_possible_is_said_with_the_argument_and_the_limit() {
        for (arguments, before, problem) in [
            (
                "v2=25",
                "80/20",
                "\"v2=25\": the weights would add up to 105 instead of 100; write v2=25% for 25 of 100 requests, or v1=75 v2=25 for weights that add up to 100",
            ),
            (
                "v2=250",
                "800/200",
                "\"v2=250\": the weights would add up to 1050 instead of 1000; write v1=750 v2=250 for weights that add up to 1000",
            ),
            (
                "v2=30 v3=5",
                "70/10/20",
                "\"v2=30 v3=5\": the weights would add up to 105 instead of 100; write v2=30% v3=5% for 35 of 100 requests, or v1=65 v2=30 v3=5 for weights that add up to 100",
            ),
            (
                "v2=25",
                "80/20/10",
                "\"v2=25\": the weights would add up to 115 instead of 110; write v2=25% for 25 of 100 requests, or v1=75 v2=25 for weights that add up to 110",
            ),
            (
                "v1=75",
                "80/20",
                "\"v1=75\": the weights would add up to 95 instead of 100; write v1=75% for 75 of 100 requests, or v1=75 v2=25 for weights that add up to 100",
            ),
            (
                "v2=200",
                "80/20",
                "\"v2=200\": the weights would add up to 280 instead of 100; write v1=… v2=200 for weights that add up to …",
            ),
            (
                "v1=75%",
                "70/10/20",
                "\"v1=75%\": v1 is stable and has what the canaries leave; say which of them gives or takes: v2, v3",
            ),
            ("v2=95%", "70/10/20", "\"v2=95%\": v3 has 20 %, so 80 % are left"),
            ("v2=60%", "20/10/30/40", "\"v2=60%\": v3, v4 have 70 %, so 30 % are left"),
            ("v2=60% v3=50%", "70/10/20", "\"v2=60% v3=50%\": together 110 %, which is more than 100 %"),
            ("v1=60% v2=50%", "80/20", "\"v1=60% v2=50%\": together 110 %, not 100 %"),
            (
                "v2=101%",
                "80/20",
                "\"v2=101%\": \"101%\" is not a percentage: a number from 0 to 100 with at most 9 decimals, as in 25% or 12.5%",
            ),
            (
                "v2=-1%",
                "80/20",
                "\"v2=-1%\": \"-1%\" is not a percentage: a number from 0 to 100 with at most 9 decimals, as in 25% or 12.5%",
            ),
            (
                "v2=.5%",
                "80/20",
                "\"v2=.5%\": \".5%\" is not a percentage: a number from 0 to 100 with at most 9 decimals, as in 25% or 12.5%",
            ),
            (
                "v2=%",
                "80/20",
                "\"v2=%\": \"%\" is not a percentage: a number from 0 to 100 with at most 9 decimals, as in 25% or 12.5%",
            ),
            (
                "v2=0.0000000001%",
                "80/20",
                "\"v2=0.0000000001%\": \"0.0000000001%\" is not a percentage: a number from 0 to 100 with at most 9 decimals, as in 25% or 12.5%",
            ),
            (
                "v2=33.333333333%",
                "80/20",
                "\"v2=33.333333333%\": exact only with weights that add up to more than 4294967295; leave out decimals",
            ),
            (
                "v2=25% v3=5",
                "70/10/20",
                "\"v2=25% v3=5\": percentages and weights together; write all of them in one way",
            ),
            ("v4=1", "80/20", "\"v4=1\": no subset \"v4\"; there are v1, v2"),
            ("v2=1 v2=2", "80/20", "\"v2=2\": v2 is given twice"),
            ("v2=25% v2=25%", "80/20", "\"v2=25%\": v2 is given twice"),
            (
                "v2=4294967296",
                "80/20",
                "\"v2=4294967296\": \"4294967296\" is not a weight: an integer from 0 to 4294967295",
            ),
            ("v2=-1", "80/20", "\"v2=-1\": \"-1\" is not a weight: an integer from 0 to 4294967295"),
            ("v2=+1", "80/20", "\"v2=+1\": \"+1\" is not a weight: an integer from 0 to 4294967295"),
            ("v2=", "80/20", "\"v2=\": \"\" is not a weight: an integer from 0 to 4294967295"),
            (
                "v2=2\u{200b}5",
                "80/20",
                "\"v2=2\\xe2\\x80\\x8b5\": \"2\\xe2\\x80\\x8b5\" is not a weight: an integer from 0 to 4294967295",
            ),
            ("75/25/0", "80/20", "\"75/25/0\": 3 weights; the split has 2 subsets: v1, v2"),
            ("75/x", "80/20", "\"75/x\": \"x\" is not a weight: an integer from 0 to 4294967295"),
            ("75,25", "80/20", "\"75,25\": weights are divided by a slash, as in 75/25"),
            ("75", "80/20", "\"75\": no weights; write v2=25%, v1=75 v2=25, or 75/25"),
            ("75/25 v2=1", "80/20", "\"75/25\": no weights; write v2=25%, v1=75 v2=25, or 75/25"),
            (
                "v3=10%",
                "80/x/0",
                "the present weight of v2 is not from 0 to 4294967295; give all weights, as in 75/25: v1, v2, v3",
            ),
            (
                "v2=10",
                "x/20",
                "the present weight of v1 is not from 0 to 4294967295; give all weights, as in 75/25: v1, v2",
            ),
        ] {
            assert_eq!(resolved(arguments, before), Err(problem.to_owned()), "{arguments} of {before}");
        }
        assert_eq!(list("80/20"), Ok(vec![80, 20]));
        assert_eq!(list("7"), Ok(vec![7]));
    }
}
