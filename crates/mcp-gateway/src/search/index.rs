//! The index over a toolset's tools: BM25 over name, description and parameters, and the likeness of spelling of the name, which
//! finds what is misspelt or abbreviated.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::words::{trigrams, words};
use crate::catalogue::{Entry, json, raw_text};

/// How quickly a word's repetition stops to count.
const K1: f32 = 1.2;
/// How much a long text counts less.
const B: f32 = 0.6;
/// How often a word of each part counts.
const NAME: f32 = 3.0;
const DESCRIPTION: f32 = 1.0;
const PARAMETERS: f32 = 0.5;
/// What a name that is spelt like the query adds, at most.
const SPELLING: f32 = 4.0;
/// Results below this part of the best are left out.
const FLOOR: f32 = 0.15;
/// The longest query, in characters.
const QUERY: usize = 400;
/// The most of a tool's text that is indexed, in bytes.
const TEXT: usize = 16 << 10;

/// One tool that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The tool.
    pub tool: Arc<Entry>,
    /// How well it fits; comparable within one search only.
    pub score: f32,
}

/// The tools of one toolset, ready to be searched.
#[derive(Debug, Default)]
pub struct Index {
    tools: Vec<Indexed>,
    /// By word: in which tools, and how much.
    postings: HashMap<String, Vec<(usize, f32)>>,
    mean_length: f32,
}

#[derive(Debug)]
struct Indexed {
    tool: Arc<Entry>,
    length: f32,
    spelling: BTreeSet<[char; 3]>,
}

impl Index {
    /// Indexes tools.
    #[must_use]
    pub fn new(tools: &[Arc<Entry>]) -> Self {
        let mut index = Self::default();
        for (at, tool) in tools.iter().enumerate() {
            let mut weights: HashMap<String, f32> = HashMap::new();
            for (text, weight) in parts(tool) {
                for word in words(&text) {
                    *weights.entry(word).or_default() += weight;
                }
            }
            let length = weights.values().sum();
            for (word, weight) in weights {
                index.postings.entry(word).or_default().push((at, weight));
            }
            index.tools.push(Indexed { tool: Arc::clone(tool), length, spelling: trigrams(&tool.exposed) });
        }
        index.mean_length = index.tools.iter().map(|each| each.length).sum::<f32>() / count(index.tools.len().max(1));
        index
    }

    /// The tool of that exposed name.
    #[must_use]
    pub fn tool(&self, exposed: &str) -> Option<&Arc<Entry>> {
        self.tools.iter().map(|each| &each.tool).find(|tool| &*tool.exposed == exposed)
    }

    /// The tools that fit a query best, of those the caller may use, the best first.
    #[must_use]
    pub fn find(&self, query: &str, limit: usize, allowed: &dyn Fn(&Entry) -> bool) -> Vec<Hit> {
        let query: String = query.chars().take(QUERY).collect();
        let mut scores = vec![0.0_f32; self.tools.len()];
        let asked: BTreeSet<String> = words(&query).into_iter().collect();
        for word in &asked {
            self.count_word(word, &mut scores);
        }
        let spelling = trigrams(&query);
        for (score, each) in scores.iter_mut().zip(&self.tools) {
            let shared = count(spelling.intersection(&each.spelling).count());
            let smaller = count(spelling.len().min(each.spelling.len()).max(1));
            *score += SPELLING * (shared / smaller).powi(2);
        }
        let scored = self.tools.iter().zip(scores).filter(|(each, score)| *score > 0.0 && allowed(&each.tool));
        let mut hits: Vec<Hit> = scored.map(|(each, score)| Hit { tool: Arc::clone(&each.tool), score }).collect();
        hits.sort_by(|one, other| {
            other.score.total_cmp(&one.score).then_with(|| one.tool.exposed.cmp(&other.tool.exposed))
        });
        let floor = hits.first().map_or(0.0, |best| best.score * FLOOR);
        hits.retain(|hit| hit.score >= floor);
        hits.truncate(limit);
        hits
    }

    fn count_word(&self, word: &str, scores: &mut [f32]) {
        let Some(postings) = self.postings.get(word) else { return };
        let (all, with) = (count(self.tools.len()), count(postings.len()));
        let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
        for (at, weight) in postings {
            let (Some(score), Some(indexed)) = (scores.get_mut(*at), self.tools.get(*at)) else { continue };
            let length = 1.0 - B + B * indexed.length / self.mean_length.max(1.0);
            *score += rarity * weight * (K1 + 1.0) / (weight + K1 * length);
        }
    }
}

/// The texts of a tool and what they count.
fn parts(tool: &Entry) -> Vec<(String, f32)> {
    let text = raw_text(&tool.json);
    let read = |value: Option<&str>| value.and_then(json::text).map(|text| head(&text)).unwrap_or_default();
    let title = json::member(text, "title").or_else(|| json::reach(text, &["annotations", "title"]));
    let mut parts = vec![
        (tool.real.to_string(), NAME),
        (tool.server.to_string(), DESCRIPTION),
        (read(title), DESCRIPTION),
        (read(json::member(text, "description")), DESCRIPTION),
    ];
    let schema = json::reach(text, &["inputSchema", "properties"]).and_then(json::members);
    for (name, property) in schema.unwrap_or_default() {
        parts.push((name.into_owned(), PARAMETERS));
        parts.push((read(json::member(property, "description")), PARAMETERS));
    }
    parts
}

fn head(text: &str) -> String {
    let end = (0..=TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[allow(clippy::cast_precision_loss, reason = "numbers of tools and trigrams are small")]
fn count(number: usize) -> f32 {
    number as f32
}
