//! Names, tags and directives.

use super::cursor::Cursor;
use super::token::Malformed;

/// The name after `*` or `&`.
pub fn name(cursor: &mut Cursor) -> Result<String, Malformed> {
    let start = cursor.mark.at;
    cursor.skip();
    let mut name = String::new();
    while matches!(cursor.byte(0), b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-') {
        name.extend(cursor.take());
    }
    if name.is_empty() || !cursor.is_gap(0) && !b"?:,]}%@`".contains(&cursor.byte(0)) {
        return Err(Malformed::new(start, "* and & begin a name of letters and digits; put the text in quotes"));
    }
    Ok(name)
}

/// All of a tag.
pub fn tag(cursor: &mut Cursor) -> Result<String, Malformed> {
    let start = cursor.mark.at;
    let mut tag = String::new();
    let is_of_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]%<>".contains(&byte);
    while is_of_tag(cursor.byte(0)) {
        tag.extend(cursor.take());
    }
    if cursor.is_gap(0) { Ok(tag) } else { Err(Malformed::new(start, "a tag without a space after it")) }
}

/// Skips a line that begins with `%`.
pub fn directive(cursor: &mut Cursor) -> Result<(), Malformed> {
    let start = cursor.mark.at;
    let mut line = String::new();
    while !cursor.is_line_end(0) {
        line.extend(cursor.take());
    }
    let said = line.split(" #").next().unwrap_or_default();
    match said.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["%YAML", "1.1"] | ["%TAG", _, _] => Ok(()),
        _ => Err(Malformed::new(start, "a directive that kubectl does not know: it reads YAML 1.1")),
    }
}
