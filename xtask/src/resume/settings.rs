//! The trainings that are killed: small, and together of every kind.

/// The phases that a training goes through, as the log names them.
pub(super) mod phase {
    pub(in crate::resume) const LINEAR_PATH: &str = "linear-path";
    pub(in crate::resume) const PRETRAINING: &str = "pretraining";
    pub(in crate::resume) const EPOCHS: &str = "epochs";
    pub(in crate::resume) const REFIT: &str = "refit";
}

/// A training: a recipe, and what is different in it.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) recipe: &'static str,
    pub(super) settings: &'static [&'static str],
    /// The phases that it goes through, in order.
    pub(super) phases: &'static [&'static str],
    /// Steps between two lines of the log.
    pub(super) log_every: &'static str,
}

/// Texts of the table: enough for a second or two of each training.
pub(super) const N_TEXTS: usize = 4000;

/// What makes every training small.
pub(super) const SMALL: [&str; 6] = [
    "preprocessing.seq_len=48",
    "preprocessing.min_frequency=1",
    "model.embedding_dim=32",
    "model.hidden_dim=48",
    "training.batch_size=20",
    "training.learning_rate=0.005",
];

pub(super) const SETTINGS: [Setting; 5] = [
    Setting {
        name: "pretraining",
        recipe: "quick",
        settings: &[
            "pretraining.epochs=2",
            "pretraining.batch_size=20",
            "training.epochs=3",
            "regularization.variational_dropout=0.2",
            "regularization.weight_dropout=0.2",
        ],
        phases: &[phase::LINEAR_PATH, phase::PRETRAINING, phase::EPOCHS],
        log_every: "1",
    },
    Setting {
        name: "accumulation",
        recipe: "quick",
        settings: &[
            "training.accumulation=2",
            "training.average_decay=0.99",
            "training.validate_every=20",
            "training.epochs=5",
            "training.schedule=cosine",
            "training.optimizer=sparse-adam",
        ],
        phases: &[phase::LINEAR_PATH, phase::EPOCHS],
        log_every: "7",
    },
    Setting {
        name: "carry",
        recipe: "notebook",
        settings: &["training.state=carry", "training.epochs=4"],
        phases: &[phase::EPOCHS],
        log_every: "1",
    },
    Setting {
        name: "plateau",
        recipe: "quick",
        settings: &[
            "model.cell=gru",
            "training.schedule=plateau",
            "training.decay_factor=0.5",
            "training.validate_every=50",
            "training.epochs=5",
            "training.optimizer=sgd",
            "training.momentum=0.9",
            "training.learning_rate=0.2",
            "training.piece_length=50",
            "training.distillation=0.5",
            "model.path_scales=by-length",
        ],
        phases: &[phase::LINEAR_PATH, phase::EPOCHS],
        log_every: "10",
    },
    Setting {
        name: "refit",
        recipe: "quick",
        settings: &[
            "training.refit=true",
            "training.patience=4",
            "training.validate_every=100",
            "training.epochs=5",
            "training.adversarial_norm=0.1",
        ],
        phases: &[phase::LINEAR_PATH, phase::EPOCHS, phase::REFIT],
        log_every: "3",
    },
];
