//! The type that users work with: learn it once from the training texts, then text in, ids out.

use rayon::prelude::*;

use crate::bpe::Merger;
use crate::config::{PreprocessingConfig, Truncation};
use crate::error::{Error, Result};
use crate::padding::left_pad;
use crate::special_tokens::{PAD_ID, UNKNOWN_TOKEN};
use crate::splitter::{Flow, Splitter};
use crate::vocabulary::Vocabulary;
use crate::words::Words;

/// Minimum number of texts per task; a splitter reuses its buffers between them.
const TEXTS_PER_TASK: usize = 16;

/// Tasks per thread when merging byte pairs: few, since each has its own cache of pieces.
const MERGING_TASKS_PER_THREAD: usize = 2;

/// The ids of a text, with token counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// At most `seq_len` ids, as returned by [`TextEncoder::encode`].
    pub ids: Vec<u32>,
    /// Number of tokens in the text, including those cut off.
    pub n_tokens: usize,
    /// How many of `ids` are [`TextEncoder::unknown_id`]. If most are, the model can make little of the
    /// text: it is in another language or, under a word scheme, in one without spaces between words.
    pub n_unknown: usize,
}

impl Encoded {
    /// Whether `ids` lacks some of the text's tokens.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.n_tokens > self.ids.len()
    }
}

/// Turns texts into id lists with a vocabulary learned from training texts.
///
/// Any text can be encoded, always with the same result. Empty texts, and texts with nothing left
/// after cleaning, give an empty list, which pads to all zeros. White space separates words, so a
/// Chinese sentence is one word (in `bpe`, its bytes and their merges). Accents are kept.
/// Lower-casing follows Unicode, one character at a time: `İ` becomes `i` and a combining dot, a
/// final `Σ` becomes `σ`. `[PAD]`, `<pad>`, `</s>` and the like in a text are ordinary text.
#[derive(Debug, Clone)]
pub struct TextEncoder {
    config: PreprocessingConfig,
    vocabulary: Vocabulary,
    unknown_id: u32,
}

impl TextEncoder {
    /// Learns a vocabulary from `texts`, which should be the training split only.
    ///
    /// # Errors
    /// [`Error::SeqLen`] or [`Error::MaxVocab`] if `config` is invalid, [`Error::NoTexts`] if
    /// `texts` is empty, [`Error::NoWords`] if no word in it is frequent enough.
    pub fn learn<S: AsRef<str> + Sync>(config: PreprocessingConfig, texts: &[S]) -> Result<Self> {
        config.check()?;
        if texts.is_empty() {
            return Err(Error::NoTexts);
        }
        let Some(vocabulary) = Vocabulary::learn(&config, texts)? else {
            return Err(Error::NoWords {
                n_texts: texts.len(),
                min_frequency: config.min_frequency.max(1),
            });
        };
        Ok(Self::from_parts(config, vocabulary))
    }

    /// The same encoder with ids for the words of more texts that it does not know and that are frequent enough in
    /// them. All ids stay, except that of unknown words, which is the last one again; `max_vocab` is raised if need be.
    /// In `bpe` no word is unknown, and nothing changes.
    ///
    /// `max_new`: most words that are added, the most frequent ones.
    ///
    /// ```
    /// use text_preprocessing::{PreprocessingConfig, TextEncoder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let encoder = TextEncoder::learn(PreprocessingConfig::default(), &["a great film"])?;
    /// let more = encoder.extended(&["a bad film"], 100);
    /// assert_eq!((more.id_of("film"), more.id_of("bad")), (encoder.id_of("film"), Some(4)));
    /// assert_eq!((encoder.unknown_id(), more.unknown_id()), (4, 5));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn extended<S: AsRef<str> + Sync>(&self, texts: &[S], max_new: usize) -> Self {
        let vocabulary = self.vocabulary.extended(&self.config, texts, max_new);
        let mut config = self.config.clone();
        config.max_vocab = config.max_vocab.map(|most| most.max(vocabulary.len()));
        Self::from_parts(config, vocabulary)
    }

    /// Combines a validated configuration with a vocabulary for its scheme.
    pub(crate) fn from_parts(config: PreprocessingConfig, vocabulary: Vocabulary) -> Self {
        let unknown_id = vocabulary.id_of(UNKNOWN_TOKEN).unwrap_or(PAD_ID);
        Self { config, vocabulary, unknown_id }
    }

    /// The ids of one text: at most `seq_len`, not padded, never 0, all below
    /// [`vocab_size`](Self::vocab_size).
    ///
    /// # Errors
    /// [`Error::Encode`]; no text is known to cause it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut splitter = Splitter::new(&self.config);
        Ok(match &self.vocabulary {
            Vocabulary::Words(words) => self.encode_words(words, &mut splitter, text, Rest::Unseen),
            Vocabulary::Pieces(model) => {
                self.encode_pieces(&mut Merger::new(model), &mut splitter, text, Rest::Unseen)?
            }
        }
        .ids)
    }

    /// [`encode`](Self::encode) for many texts, on all cores; results are in the order of the texts.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_batch<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Vec<u32>>> {
        self.encode_all(texts, Rest::Unseen, |encoded| encoded.ids)
    }

    /// [`encode_batch`](Self::encode_batch) that also counts each text's tokens before truncation and
    /// its unknown ids. Hardly slower.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    ///
    /// ```
    /// use text_preprocessing::{PreprocessingConfig, TextEncoder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = PreprocessingConfig { seq_len: 3, ..Default::default() };
    /// let encoder = TextEncoder::learn(config, &["a great film"])?;
    /// let encoded = encoder.encode_batch_counted(&["a bad film, a great pity"])?;
    /// assert_eq!((encoded[0].ids.len(), encoded[0].n_tokens, encoded[0].n_unknown), (3, 6, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn encode_batch_counted<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Encoded>> {
        self.encode_all(texts, Rest::Counted, |encoded| encoded)
    }

    fn encode_all<S: AsRef<str> + Sync, T: Send>(
        &self,
        texts: &[S],
        rest: Rest,
        take: impl Fn(Encoded) -> T + Sync,
    ) -> Result<Vec<T>> {
        match &self.vocabulary {
            Vocabulary::Words(words) => {
                let encode = |splitter: &mut Splitter, text: &S| {
                    take(self.encode_words(words, splitter, text.as_ref(), rest))
                };
                let texts = texts.par_iter().with_min_len(TEXTS_PER_TASK);
                Ok(texts.map_init(|| Splitter::new(&self.config), encode).collect())
            }
            Vocabulary::Pieces(model) => {
                let n_tasks = rayon::current_num_threads() * MERGING_TASKS_PER_THREAD;
                let chunks = texts.par_chunks(texts.len().div_ceil(n_tasks).max(1));
                let encoded: Vec<Vec<T>> = chunks
                    .map(|texts| {
                        let mut splitter = Splitter::new(&self.config);
                        let mut merger = Merger::new(model);
                        let encode = |text: &S| {
                            let text = text.as_ref();
                            self.encode_pieces(&mut merger, &mut splitter, text, rest).map(&take)
                        };
                        texts.iter().map(encode).collect::<Result<_>>()
                    })
                    .collect::<Result<_>>()?;
                Ok(encoded.into_iter().flatten().collect())
            }
        }
    }

    fn encode_words(
        &self,
        words: &Words,
        splitter: &mut Splitter,
        text: &str,
        rest: Rest,
    ) -> Encoded {
        let enough = self.enough();
        let mut ids = Vec::new();
        let mut n_tokens = 0;
        splitter.split(text, |word| {
            n_tokens += 1;
            // Tokens after the head need no look-up, not even splitting.
            if n_tokens <= enough {
                ids.push(words.number_of(word).unwrap_or(self.unknown_id));
            }
            if n_tokens < enough || rest == Rest::Counted { Flow::Continue } else { Flow::Stop }
        });
        self.encoded(ids, n_tokens)
    }

    fn encode_pieces(
        &self,
        merger: &mut Merger,
        splitter: &mut Splitter,
        text: &str,
        rest: Rest,
    ) -> Result<Encoded> {
        let enough = self.enough();
        let mut ids = Vec::new();
        let mut n_tokens = 0;
        let mut failure = None;
        splitter.split(text, |piece| match merger.ids_of(piece) {
            Ok(of_piece) => {
                n_tokens += of_piece.len();
                if ids.len() < enough {
                    ids.extend_from_slice(of_piece);
                }
                if ids.len() < enough || rest == Rest::Counted {
                    Flow::Continue
                } else {
                    Flow::Stop
                }
            }
            Err(error) => {
                failure = Some(error);
                Flow::Stop
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(self.encoded(ids, n_tokens)),
        }
    }

    /// Number of leading tokens that determine all ids.
    fn enough(&self) -> usize {
        let PreprocessingConfig { seq_len, truncation, .. } = self.config;
        if truncation == Truncation::Head { seq_len } else { usize::MAX }
    }

    /// The ids of a text, truncated.
    fn encoded(&self, ids: Vec<u32>, n_tokens: usize) -> Encoded {
        let PreprocessingConfig { seq_len, truncation, .. } = self.config;
        let ids = if ids.len() > seq_len { truncation.cut(&ids, seq_len) } else { ids };
        let n_unknown = ids.iter().filter(|&&id| id == self.unknown_id).count();
        Encoded { ids, n_tokens, n_unknown }
    }

    /// The ids of one text, left-padded with zeros to exactly `seq_len`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_padded(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.pad(&self.encode(text)?))
    }

    /// Exactly `seq_len` ids: longer lists are truncated as configured, shorter ones left-padded
    /// with zeros.
    #[must_use]
    pub fn pad(&self, ids: &[u32]) -> Vec<u32> {
        let len = self.config.seq_len;
        if ids.len() > len { self.config.truncation.cut(ids, len) } else { left_pad(ids, len) }
    }

    /// The number of ids, including padding and unknown: the rows of an embedding table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// The id of padding: always 0.
    #[must_use]
    pub fn pad_id(&self) -> u32 {
        PAD_ID
    }

    /// The id shared by all unknown words: the last one, `vocab_size() - 1`.
    #[must_use]
    pub fn unknown_id(&self) -> u32 {
        self.unknown_id
    }

    /// The token for an id; `None` from [`vocab_size`](Self::vocab_size) on.
    ///
    /// In `bpe`, bytes appear as the printable stand-ins of byte-level tokenizers.
    #[must_use]
    pub fn token_of(&self, id: u32) -> Option<String> {
        self.vocabulary.token_of(id)
    }

    /// The id of a token as the scheme writes it (lower case); `None` if it is unknown.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.vocabulary.id_of(token)
    }

    /// The configuration that the vocabulary was learned or loaded with.
    #[must_use]
    pub fn config(&self) -> &PreprocessingConfig {
        &self.config
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

/// What to do with the text after the last token kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Skip it.
    Unseen,
    /// Count its tokens.
    Counted,
}
