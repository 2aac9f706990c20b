//! What differs between two texts, as `diff -u` shows it.

use std::fmt::Write as _;

/// Lines around a difference.
const CONTEXT: usize = 3;
/// More differing lines than this are shown as one removed and one added block.
const EDITS_MAX: usize = 2_000;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Insert,
}

/// The hunks that lead from `old` to `new`; empty when they are the same.
pub(crate) fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let edits = edits(&old, &new);
    let mut out = String::new();
    let mut at = 0;
    while let Some(first) = edits[at..].iter().position(|edit| *edit != Edit::Keep) {
        let start = (at + first).saturating_sub(CONTEXT).max(at);
        let end = end_of_hunk(&edits, at + first);
        hunk(&mut out, &edits, start, end, &old, &new);
        at = end;
    }
    out
}

/// Where the hunk with the edit at `at` ends: after its context, and after edits that are near.
fn end_of_hunk(edits: &[Edit], at: usize) -> usize {
    let mut last = at;
    for (i, edit) in edits.iter().enumerate().skip(at) {
        if *edit != Edit::Keep {
            last = i;
        } else if i - last > 2 * CONTEXT {
            break;
        }
    }
    (last + 1 + CONTEXT).min(edits.len())
}

fn hunk(out: &mut String, edits: &[Edit], start: usize, end: usize, old: &[&str], new: &[&str]) {
    let count = |edits: &[Edit], not: Edit| edits.iter().filter(|edit| **edit != not).count();
    let (mut i, mut j) =
        (count(&edits[..start], Edit::Insert), count(&edits[..start], Edit::Remove));
    let (removed, inserted) =
        (count(&edits[start..end], Edit::Insert), count(&edits[start..end], Edit::Remove));
    // An empty side is given by the line before it, as `diff` does.
    let line = |at: usize, count: usize| if count == 0 { at } else { at + 1 };
    let _ =
        writeln!(out, "@@ -{},{removed} +{},{inserted} @@", line(i, removed), line(j, inserted));
    for edit in &edits[start..end] {
        let (sign, text) = match edit {
            Edit::Keep => (' ', old[i]),
            Edit::Remove => ('-', old[i]),
            Edit::Insert => ('+', new[j]),
        };
        i += usize::from(*edit != Edit::Insert);
        j += usize::from(*edit != Edit::Remove);
        let _ = writeln!(out, "{sign}{text}");
    }
}

/// The edits that lead from one list of lines to the other.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old.iter().zip(new).take_while(same).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let middle = shortest(old, new)
        .unwrap_or_else(|| [vec![Edit::Remove; old.len()], vec![Edit::Insert; new.len()]].concat());
    [vec![Edit::Keep; head], middle, vec![Edit::Keep; tail]].concat()
}

/// The fewest edits (Myers, An O(ND) Difference Algorithm, 1986); `None` when they are too many.
fn shortest(old: &[&str], new: &[&str]) -> Option<Vec<Edit>> {
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let (n, m) = (old.len(), new.len());
    let most = (n + m).min(EDITS_MAX);
    // How far each diagonal `x - y` reaches, with that of `-most` first; one list for each number of edits.
    let mut reach = vec![0_usize; 2 * most + 3];
    let mut trace = Vec::new();
    for d in 0..=most {
        trace.push(reach.clone());
        for k in (most + 1 - d..=most + 1 + d).step_by(2) {
            let down = k == most + 1 - d || (k != most + 1 + d && reach[k - 1] < reach[k + 1]);
            let mut x = if down { reach[k + 1] } else { reach[k - 1] + 1 };
            let Some(mut y) = (x + most + 1).checked_sub(k) else { continue };
            while x < n && y < m && old[x] == new[y] {
                (x, y) = (x + 1, y + 1);
            }
            reach[k] = x;
            if x >= n && y >= m {
                return Some(backwards(&trace, most + 1, n, m));
            }
        }
    }
    None
}

/// The edits, from the end back to the beginning.
fn backwards(trace: &[Vec<usize>], zero: usize, n: usize, m: usize) -> Vec<Edit> {
    let (mut x, mut y) = (n, m);
    let mut edits = Vec::new();
    for (d, reach) in trace.iter().enumerate().rev() {
        let k = zero + x - y;
        let down = k == zero - d || (k != zero + d && reach[k - 1] < reach[k + 1]);
        let (from_x, from_k) = if down { (reach[k + 1], k + 1) } else { (reach[k - 1], k - 1) };
        let from_y = (from_x + zero).saturating_sub(from_k);
        let (begin_x, begin_y) = if d == 0 { (0, 0) } else { (from_x, from_y) };
        while x > begin_x && y > begin_y {
            edits.push(Edit::Keep);
            (x, y) = (x - 1, y - 1);
        }
        if d > 0 {
            edits.push(if down { Edit::Insert } else { Edit::Remove });
            (x, y) = (from_x, from_y);
        }
    }
    edits.reverse();
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, expect: &str) {
        let lines =
            |text: &str| text.split_whitespace().map(|w| format!("{w}\n")).collect::<String>();
        assert_eq!(unified(&lines(old), &lines(new)), expect, "{old} -> {new}");
    }

    #[test]
    fn as_diff_shows_it() {
        check("a b", "a b", "");
        check("", "a b", "@@ -0,0 +1,2 @@\n+a\n+b\n");
        check("a b", "", "@@ -1,2 +0,0 @@\n-a\n-b\n");
        check("a b c", "a x c", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        check("a b c d", "a c d e", "@@ -1,4 +1,4 @@\n a\n-b\n c\n d\n+e\n");
        check(
            "1 2 3 4 5 6 7 8 9",
            "1 x 2 3 4 5 6 7 8 9 y",
            "@@ -1,4 +1,5 @@\n 1\n+x\n 2\n 3\n 4\n@@ -7,3 +8,4 @@\n 7\n 8\n 9\n+y\n",
        );
    }

    /// Whatever is shown leads from one to the other, with no more edits than there have to be.
    #[test]
    fn every_pair_of_short_texts() {
        let words: Vec<String> = (0..81_u32)
            .map(|n| (0..4).map(|i| char::from(b'a' + (n / 3_u32.pow(i) % 3) as u8)).collect())
            .collect();
        for (old, new) in words.iter().flat_map(|old| words.iter().map(move |new| (old, new))) {
            let split = |word: &'_ str| word.chars().map(String::from).collect::<Vec<_>>();
            let (a, b) = (split(old), split(new));
            let (a, b): (Vec<&str>, Vec<&str>) =
                (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
            let (mut i, mut j, mut kept) = (0, 0, 0);
            for edit in edits(&a, &b) {
                match edit {
                    Edit::Keep => {
                        assert_eq!(a[i], b[j]);
                        (i, j, kept) = (i + 1, j + 1, kept + 1);
                    }
                    Edit::Remove => i += 1,
                    Edit::Insert => j += 1,
                }
            }
            assert_eq!((i, j, kept), (4, 4, common(&a, &b)), "{old} {new}");
        }
    }

    /// Length of the longest common subsequence.
    fn common(a: &[&str], b: &[&str]) -> usize {
        match (a, b) {
            ([], _) | (_, []) => 0,
            ([x, a2 @ ..], [y, b2 @ ..]) if x == y => 1 + common(a2, b2),
            ([_, a2 @ ..], [_, b2 @ ..]) => common(a2, b).max(common(a, b2)),
        }
    }
}
