//! Unicode text that people type: composing and comparing it, and finding what nobody can see in it. The tables for this
//! are too large for the browser.

use std::sync::LazyLock;

use domain::name::is_ignorable;
use icu_casemap::CaseMapper;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        CanonicalCombiningClass, Emoji, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, JoiningType,
        Script,
    },
};
use unicode_normalization::UnicodeNormalization;

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
/// What makes a black flag with tags after it the flag of a part of a country (UTS #51, ED-14a).
const BLACK_FLAG: char = '\u{1F3F4}';
const CANCEL_TAG: char = '\u{E007F}';
/// The longest sequence of tags after a flag: the code of a country and of a part of it, and the end.
const MAX_TAGS: usize = 7;
/// The frame that turns a digit and a variation selector into a keycap.
const KEYCAP: char = '\u{20E3}';
/// A braille pattern without dots looks like a space.
const BLANK_BRAILLE: char = '\u{2800}';

/// Composes characters (Unicode NFC), so that texts that look the same are the same.
pub(crate) fn compose(text: &str) -> String {
    text.nfc().collect()
}

/// Composes characters, and replaces variants such as full-width letters by the usual ones (Unicode NFKC).
pub(crate) fn simplify(text: &str) -> String {
    text.nfkc().collect()
}

/// Folds a text for search and order, so that they are the same on both databases: case by Unicode's full case folding
/// (Unicode §3.13, D145), composed, with single spaces, and without invisible characters.
pub(crate) fn fold(text: &str) -> String {
    let decomposed: String = text.nfd().filter(|c| !is_ignorable(*c)).collect();
    let folded: String = CaseMapper::new().fold_string(&decomposed).nfc().collect();
    let mut spaced = String::with_capacity(folded.len());
    for c in folded.chars() {
        match is_space(c) {
            true if spaced.ends_with(' ') => {}
            true => spaced.push(' '),
            false => spaced.push(c),
        }
    }
    spaced
}

/// Removes what looks like space around a text.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == BLANK_BRAILLE
}

/// Whether a text has a character that can be seen on its own.
pub(crate) fn is_visible(text: &str) -> bool {
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_mark = |c: char| GeneralCategoryGroup::Mark.contains(categories.get(c));
    text.chars().any(|c| !is_space(c) && !is_blank(c) && !is_mark(c) && !c.is_control())
}

/// Finds a character that can't be seen where it is. Those that form a visible character with their neighbours are
/// fine: in emoji, in Persian, in Indian scripts, and in variants of Han characters.
pub(crate) fn find_invisible(text: &str) -> Option<char> {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).find(|at| is_blank(chars[*at]) && !is_part_of_cluster(&chars, *at)).map(|at| chars[at])
}

/// Whether a character has no glyph of its own.
fn is_blank(c: char) -> bool {
    // Not ignorable by the Unicode property, but drawn as nothing: annotation marks, the object replacement character,
    // a Khitan filler, a musical null note head, and the controls of Egyptian hieroglyphs.
    is_ignorable(c) || matches!(c, '\u{FFF9}'..='\u{FFFC}' | '\u{16FE4}' | '\u{1D159}' | '\u{13430}'..='\u{13440}')
}

/// Whether the invisible character at a position changes how its neighbours look.
fn is_part_of_cluster(chars: &[char], at: usize) -> bool {
    let (before, after) = (&chars[..at], &chars[at + 1..]);
    match chars[at] {
        ZERO_WIDTH_NON_JOINER => is_between_joining_letters(before, after) || is_at_virama(before, after),
        ZERO_WIDTH_JOINER => {
            is_between_pictographs(before, after)
                || is_between_joining_letters(before, after)
                || is_at_virama(before, after)
        }
        // Text or emoji style. A digit takes it only for a keycap.
        '\u{FE0E}' | '\u{FE0F}' => before.last().is_some_and(|base| {
            let is_emoji = CodePointSetData::new::<Emoji>().contains(*base);
            is_emoji && (!base.is_ascii() || after.first() == Some(&KEYCAP))
        }),
        // Variants of Han characters, as in Japanese names.
        '\u{FE00}'..='\u{FE02}' | '\u{E0100}'..='\u{E01EF}' => {
            before.last().is_some_and(|base| script(*base) == Script::Han)
        }
        '\u{180B}'..='\u{180F}' => before.last().is_some_and(|base| script(*base) == Script::Mongolian),
        '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}' | CANCEL_TAG => is_in_flag(chars, at),
        _ => false,
    }
}

/// Both neighbours are letters of a script that joins its letters, such as Arabic. More lenient than RFC 5892, A.1,
/// because Persian writers also separate letters that wouldn't join.
fn is_between_joining_letters(before: &[char], after: &[char]) -> bool {
    let types = CodePointMapData::<JoiningType>::new();
    let is_letter = |c: &&char| types.get(**c) != JoiningType::Transparent;
    let joins = |c: Option<&char>| {
        let joining = [JoiningType::DualJoining, JoiningType::LeftJoining, JoiningType::RightJoining];
        c.is_some_and(|c| joining.contains(&types.get(*c)))
    };
    joins(before.iter().rfind(is_letter)) && joins(after.iter().find(is_letter))
}

/// One neighbour is a virama, which joins Indian consonants (RFC 5892, A.2), and the other one exists.
fn is_at_virama(before: &[char], after: &[char]) -> bool {
    let classes = CodePointMapData::<CanonicalCombiningClass>::new();
    let is_virama = |c: &char| classes.get(*c) == CanonicalCombiningClass::Virama;
    match (before.last(), after.first()) {
        (Some(last), Some(first)) => is_virama(last) || (is_virama(first) && before.len() > 1),
        (Some(last), None) => is_virama(last) && before.len() > 1,
        _ => false,
    }
}

fn is_between_pictographs(before: &[char], after: &[char]) -> bool {
    let pictographs = CodePointSetData::new::<ExtendedPictographic>();
    // A skin tone or the emoji style belongs to the pictograph before it.
    let is_style = |c: char| matches!(c, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
    let base = before.iter().rfind(|c| !is_style(**c));
    let is_pictograph = |c: Option<&char>| c.is_some_and(|c| pictographs.contains(*c));
    is_pictograph(base) && is_pictograph(after.first())
}

fn is_in_flag(chars: &[char], at: usize) -> bool {
    let is_tag = |c: &char| matches!(*c, '\u{E0020}'..=CANCEL_TAG);
    let Some(start) = chars[..at].iter().rposition(|c| !is_tag(c)) else { return false };
    let tags: Vec<char> = chars[start + 1..].iter().take_while(|c| is_tag(c)).copied().collect();
    let ends = tags.iter().position(|tag| *tag == CANCEL_TAG);
    chars[start] == BLACK_FLAG && (4..=MAX_TAGS).contains(&tags.len()) && ends == Some(tags.len() - 1)
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

/// The names by which pages, mails and the audit log refer to the product itself, to those who act without an account,
/// and to what has no name, without spaces.
const OWN_NAMES: [&str; 11] = [
    "latchkey",
    "system",
    "operator",
    "administrator",
    "administrators",
    "backgroundtask",
    "unknown",
    "unreadablename",
    "deleteduser",
    "deletedaccount",
    "removeduser",
];
/// Words that don't make another name out of one of [`OWN_NAMES`].
const FILLERS: [&str; 14] = [
    "the", "of", "a", "your", "server", "command", "line", "service", "account", "user", "team", "support", "security",
    "official",
];
/// The mark of the viewer's own row in lists.
const OWN_MARK: &str = "(you)";

/// What [`OWN_NAMES`] and [`FILLERS`] look like.
static RESERVED: LazyLock<[Vec<String>; 2]> =
    LazyLock::new(|| [&OWN_NAMES[..], &FILLERS].map(|words| words.iter().map(|word| skeleton(word)).collect()));

/// Whether a name could be mistaken for one of [`OWN_NAMES`], also if it only looks like one (UTS #39, §4).
pub(crate) fn is_reserved(name: &str) -> bool {
    let [own, fillers] = &*RESERVED;
    let simple = |word: &str| simplify(word);
    let words: Vec<String> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(simple).collect();
    // Capitals look different from small letters, such as `I`, which looks like `l`.
    let is_in = |list: &[String], word: &str| list.contains(&skeleton(word)) || list.contains(&skeleton(&fold(word)));
    let is_own = |word: &String| is_in(own, word);
    is_own(&words.concat())
        || (words.iter().any(is_own) && words.iter().all(|word| is_own(word) || is_in(fillers, word)))
        || fold(&simplify(name)).contains(OWN_MARK)
}

/// Returns a text that is the same for names that are easily mistaken for each other.
pub(crate) fn look(name: &str) -> String {
    skeleton(&compose(name))
}

/// Maps characters that look alike to the same one, ignoring case.
fn skeleton(text: &str) -> String {
    fold(&unicode_security::skeleton(text).collect::<String>())
}

#[cfg(test)]
mod tests {
    use icu_properties::props::DefaultIgnorableCodePoint;

    use super::*;

    #[test]
    fn the_ranges_of_ignorable_characters_are_unicodes() {
        let set = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        for c in '\0'..=char::MAX {
            assert_eq!(is_ignorable(c), set.contains(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn folding_ignores_case_composition_spaces_and_invisible_characters() {
        for (one, other) in [
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "straße"),
            ("Cafe\u{301}", "CAFÉ"),
            ("ﬁt", "FIT"),
            ("a\u{A0}b", "A  B"),
            ("ci\u{2060}", "CI"),
            ("می\u{200C}خواهم", "میخواهم"),
            ("Ⅷ", "ⅷ"),
            ("ᏸ", "Ᏸ"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert!(fold("ΟΔΟΣΗΜΑ").starts_with(&fold("ΟΔΟΣ")));
    }

    #[test]
    fn invisible_characters_are_found_except_in_clusters() {
        for fine in [
            "👩\u{200D}💻",
            "👩🏽\u{200D}🚀",
            "🏳\u{FE0F}\u{200D}🌈",
            "❤\u{FE0F}",
            "1\u{FE0F}\u{20E3}",
            "©\u{FE0F}",
            "می\u{200C}خواهم",
            "کار\u{200C}گاه",
            "क्\u{200D}ष",
            "ශ්\u{200D}රී",
            "葛\u{E0100}城",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "ᠠ\u{180B}",
            "plain",
            "e\u{301}",
        ] {
            assert_eq!(find_invisible(fine), None, "{fine}");
        }
        for (bad, invisible) in [
            ("ci\u{2060}", '\u{2060}'),
            ("c\u{AD}i", '\u{AD}'),
            ("\u{3164}", '\u{3164}'),
            ("c\u{200C}i", '\u{200C}'),
            ("ci\u{200D}", '\u{200D}'),
            ("👩\u{200D}", '\u{200D}'),
            ("\u{200D}👩", '\u{200D}'),
            ("ci\u{FE0F}", '\u{FE0F}'),
            ("1\u{FE0F}", '\u{FE0F}'),
            ("ci\u{E0100}", '\u{E0100}'),
            ("ci\u{E0061}", '\u{E0061}'),
            ("🏴\u{E0067}", '\u{E0067}'),
            ("c\u{34F}i", '\u{34F}'),
            ("c\u{115F}i", '\u{115F}'),
            ("a\u{FFF9}b", '\u{FFF9}'),
            ("a\u{1D159}", '\u{1D159}'),
        ] {
            assert_eq!(find_invisible(bad), Some(invisible), "{bad:?}");
        }
    }

    #[test]
    fn a_name_needs_something_to_see() {
        for blank in
            ["", " \u{3000}", "\u{2800}", "\u{3164}", "\u{301}", "\u{200D}\u{FE0F}", "\u{1D159}", "\u{115F}\u{1160}"]
        {
            assert!(!is_visible(blank), "{blank:?}");
        }
        assert!(is_visible("\u{2801}") && is_visible("ㄱ") && is_visible("—"));
    }

    #[test]
    fn names_that_look_like_the_products_own_are_reserved() {
        for own in [
            "Latchkey",
            "LATCHKEY",
            "L a t c h k e y",
            "Lаtchkey",
            "Ｌａｔｃｈｋｅｙ",
            "𝐋atchkey",
            "Latchkey™",
            "“Operator”",
            "(unreadable name)",
            "The Operator",
            "Latchkey Support",
            "SYSTEM",
            "ѕуѕtem",
            "Administrator",
            "Operator of the server",
            "Background task",
            "Deleted user",
            "Unknown",
            "Grace (you)",
            "Latсhkеy security team",
            "Iatchkey",
            "1atchkey",
            "0perator",
        ] {
            assert!(is_reserved(own), "{own}");
        }
        for other in [
            "postgres-operator",
            "Ada",
            "background",
            "Service",
            "key",
            "You",
            "Ada Operatorowa",
            "ci",
            "systemd",
            "🔑",
            "Solar system",
            "—",
        ] {
            assert!(!is_reserved(other), "{other}");
        }
    }
}
