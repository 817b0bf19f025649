//! Searching for translations: the same on the CPU and through the shaders, and a beam finds nothing less likely than
//! greedy search does.

mod gpu;

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use wgrad::cpu::Cpu;
use wgrad::decode::{Beam, DecodeError, End, Lengths, Limit, Search, Translated, Translation, Translator};
use wgrad::gpu::Limits;
use wgrad::graph::{Target, TensorType};
use wgrad::models::{self, Model};
use wgrad::plan::{Counters, Device, DeviceError, Plan, Prepared, Profile, Region};
use wgrad::text::{EOS, SOS, Tokenizer, TokenizerKind, TokenizerSettings};
use wgrad::train::config::Config;
use wgrad::train::dump::{IdBatch, dump};

const VOCABULARY: usize = 9;
const BEAM: Beam = Beam { width: 4, length_penalty: 0.0 };

fn config(preset: &str, assignments: &[&str]) -> Config {
    let mut config = Config::preset(preset).expect("a preset");
    config.set_all(assignments).expect("assignments that fit");
    config
}

/// Small models of every family, with parameters large enough for clear decisions.
fn configs() -> Vec<Config> {
    let transformer = ["model.hidden=8", "model.heads=2", "model.feed_forward=16"];
    vec![
        config("tiny", &["model.attention=cosine-concat", "model.rnn=gru", "model.layers=2"]),
        config("tiny", &["model.attention=dot", "model.input_feeding=true"]),
        config("tiny", &["model.attention=none", "model.rnn=rnn"]),
        config("course-full-transformer", &transformer),
        config("course-transformer", &transformer),
    ]
}

fn sources() -> Vec<Vec<u32>> {
    (0..21u32).map(|s| (0..s % 6).map(|t| 4 + (s * 3 + t * 7) % 5).collect()).collect()
}

/// Twice as large as at the start of training, with a liking for `<eos>`, so that most translations end.
fn parameters(model: &dyn Model) -> Vec<f32> {
    let mut parameters: Vec<f32> = model.parameters().initial(5).iter().map(|p| 2.0 * p).collect();
    let bias = model.parameters().iter().find(|p| p.name.ends_with("output.bias")).expect("a projection");
    parameters[bias.offset + EOS as usize] += 0.5;
    parameters
}

/// Training that would have given far longer targets than sources.
const SEEN: Lengths = Lengths { source: 6, target: 30, ratio: 15.0 };

/// A search on a device that holds these parameters.
fn open(device: &mut dyn Device, config: &Config, parameters: &[f32], beam: Beam, limit: Limit) -> Search {
    let model = models::build(&config.model, [VOCABULARY; 2]);
    device.allocate("parameters", &TensorType::f32(&[parameters.len()])).expect("memory");
    device.write_f32("parameters", parameters).expect("it is there");
    Search::new(model, config.data.frame, beam, limit)
}

fn search(device: &mut dyn Device, config: &Config, beam: Beam) -> (Arc<dyn Model>, Vec<Translation>) {
    let model = models::build(&config.model, [VOCABULARY; 2]);
    let found = open(device, config, &parameters(&*model), beam, Limit::Usual).translate(device, &sources());
    (model, found.expect("a search"))
}

#[test]
fn shaders_find_what_the_cpu_finds() {
    let mut gpu = gpu::open();
    for config in configs() {
        for beam in [Beam::GREEDY, BEAM, Beam { length_penalty: 1.0, ..BEAM }] {
            let (_, expected) = search(&mut Cpu::<f32>::new(), &config, beam);
            let (_, found) = search(&mut gpu, &config, beam);
            assert_eq!(found, expected, "{:?} {beam:?}", config.model);
            assert!(expected[0].tokens.is_empty(), "nothing in, nothing out");
        }
    }
}

/// Sources of one to forty tokens, so that plans of several sizes take part, in an order of their own.
fn mixed_sources() -> Vec<Vec<u32>> {
    (0..70u32).map(|s| (0..1 + s * 37 % 40).map(|t| 4 + (s * 3 + t * 7) % 5).collect()).collect()
}

/// Neither a sentence's neighbours nor its place among them change its translation: shuffled, by itself, in a full
/// batch.
fn translations_are_their_own(device: &mut dyn Device, alone: usize) {
    let (mut ended, mut cut) = (0, 0);
    for config in configs() {
        for beam in [Beam::GREEDY, Beam { length_penalty: 1.0, ..BEAM }] {
            let model = models::build(&config.model, [VOCABULARY; 2]);
            let mut search = open(device, &config, &parameters(&*model), beam, Limit::Trained(SEEN));
            let sources = mixed_sources();
            let together = search.translate(device, &sources).expect("a search");
            let place = |i: usize| i * 29 % sources.len();
            let shuffled: Vec<_> = (0..sources.len()).map(|i| sources[place(i)].clone()).collect();
            let others = search.translate(device, &shuffled).expect("a search");
            for (i, other) in others.iter().enumerate() {
                assert_eq!(*other, together[place(i)], "{:?} {beam:?}, shuffled: {i}", config.model);
            }
            for i in (0..sources.len()).step_by(sources.len() / alone) {
                let by_itself = search.translate(device, &sources[i..=i]).expect("a search");
                assert_eq!(by_itself, together[i..=i], "{:?} {beam:?}, alone: {i}", config.model);
            }
            ended += together.iter().filter(|found| found.end == End::Eos).count();
            cut += together.iter().filter(|found| found.end == End::Limit).count();
        }
    }
    assert!(ended > 100 && cut > 100, "{ended} of the translations ended, {cut} were cut: both are to be compared");
}

#[test]
fn no_translation_depends_on_its_neighbours_on_the_cpu() {
    translations_are_their_own(&mut Cpu::<f32>::new(), 20);
}

#[test]
fn no_translation_depends_on_its_neighbours_through_the_shaders() {
    translations_are_their_own(&mut gpu::open(), 7);
}

/// A model that never says `<eos>` is cut at the limit of each source, whatever the lengths of those beside it.
#[test]
fn every_sentence_has_a_limit_of_its_own() {
    for config in configs() {
        let model = models::build(&config.model, [VOCABULARY; 2]);
        let mut parameters = parameters(&*model);
        let bias = model.parameters().iter().find(|p| p.name.ends_with("output.bias")).expect("a projection");
        parameters[bias.offset + EOS as usize] = -1e4;
        // `<pad>` and `<sos>` are no words.
        parameters[bias.offset + 1..][..2].fill(-1e4);
        for beam in [Beam::GREEDY, BEAM] {
            for limit in [Limit::Usual, Limit::Trained(SEEN), Limit::Tokens(3), Limit::Tokens(1000)] {
                if limit == Limit::Tokens(1000) && (beam == BEAM || model.max_positions().is_some()) {
                    continue;
                }
                let mut cpu = Cpu::<f32>::new();
                let mut search = open(&mut cpu, &config, &parameters, beam, limit);
                for (source, found) in sources().iter().zip(search.translate(&mut cpu, &sources()).expect("a search")) {
                    if !source.is_empty() {
                        let words = limit.of(source.len()).min(search.longest());
                        assert_eq!((found.tokens.len(), found.end), (words, End::Limit), "{limit:?} {beam:?}");
                    }
                }
            }
        }
    }
}

/// Cut earlier, a greedy translation is the beginning of itself, and a beam's is one that has ended if there is any.
#[test]
fn a_limit_cuts_and_does_no_more() {
    let mut beams_ended = 0;
    for config in configs() {
        let mut cpu = Cpu::<f32>::new();
        let model = models::build(&config.model, [VOCABULARY; 2]);
        let parameters = parameters(&*model);
        let whole =
            open(&mut cpu, &config, &parameters, Beam::GREEDY, Limit::Tokens(12)).translate(&mut cpu, &sources());
        for most in [1, 2, 5] {
            let mut cut = |beam| {
                let mut search = open(&mut cpu, &config, &parameters, beam, Limit::Tokens(most));
                search.translate(&mut cpu, &sources()).expect("a search")
            };
            for (cut, whole) in cut(Beam::GREEDY).iter().zip(whole.as_ref().expect("a search")) {
                // What is no word takes a position too.
                assert!(whole.tokens.starts_with(&cut.tokens) && cut.tokens.len() <= most, "{:?}", config.model);
                assert!(cut.end == End::Limit || cut == whole);
            }
            let wide = cut(BEAM);
            assert!(wide.iter().all(|found| found.tokens.len() <= most));
            beams_ended += wide.iter().filter(|found| found.end == End::Eos && !found.tokens.is_empty()).count();
        }
    }
    assert!(beams_ended > 10, "only {beams_ended} beams ended within the limit");
}

/// Finite weights whose products overflow: no translation, on no device.
#[test]
fn scores_that_are_no_numbers_end_a_search() {
    let mut gpu = gpu::open();
    for config in configs() {
        let model = models::build(&config.model, [VOCABULARY; 2]);
        for factor in [3e38, f32::NAN] {
            let mut parameters = parameters(&*model);
            let output =
                model.parameters().iter().filter(|p| p.name.contains("output") || p.name.contains("tgt_embedding"));
            output.for_each(|p| parameters[p.offset..][..p.len()].iter_mut().for_each(|x| *x = factor * x.signum()));
            for beam in [Beam::GREEDY, BEAM] {
                for device in [&mut Cpu::<f32>::new() as &mut dyn Device, &mut gpu] {
                    let mut search = open(device, &config, &parameters, beam, Limit::Tokens(5));
                    let error = search.translate(device, &sources());
                    let name = device.describe();
                    assert!(
                        matches!(error, Err(DecodeError::NotNumbers)),
                        "{name} {beam:?} {:?}: {error:?}",
                        config.model
                    );
                }
            }
        }
    }
}

/// A CPU that counts the plans that it runs, and refuses those that take larger tensors than `most`.
struct Counting {
    cpu: Cpu<f32>,
    runs: Rc<Cell<usize>>,
    most: usize,
}

impl Counting {
    fn new(most: usize) -> Self {
        Self { cpu: Cpu::new(), runs: Rc::default(), most }
    }
}

impl Device for Counting {
    fn describe(&self) -> String {
        self.cpu.describe()
    }
    fn target(&self) -> Target {
        self.cpu.target()
    }
    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        self.cpu.allocate(name, tensor)
    }
    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError> {
        self.cpu.write_f32(name, values)
    }
    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError> {
        self.cpu.write_u32(name, values)
    }
    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError> {
        self.cpu.read_f32(name)
    }
    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        let outputs = plan.steps.iter().flat_map(|step| step.outputs.iter().flatten());
        if outputs.map(|region| region.len).max().unwrap_or(0) > self.most {
            return Err(DeviceError::OutOfMemory { device: "small".into(), message: "too small".into() });
        }
        self.cpu.prepare(plan)
    }
    fn fill_slots(&mut self, bits: u32) {
        self.cpu.fill_slots(bits);
    }
    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError> {
        self.runs.set(self.runs.get() + 1);
        self.cpu.run(plan, log)
    }
    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        self.cpu.profile(plan)
    }
    fn counters(&self) -> Counters {
        self.cpu.counters()
    }
    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError> {
        self.cpu.read_bits(plan, region)
    }
    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError> {
        self.cpu.run_part(plan, steps)
    }
    fn logged(&mut self, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        self.cpu.logged(wait)
    }
    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        self.cpu.fetch_f32(plan, index)
    }
    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        self.cpu.fetch_u32(plan, index)
    }
}

/// Beside sentences that run into the limit, a search takes all its steps; alone, a sentence that ends early takes
/// fewer, and says the same.
#[test]
fn a_search_stops_where_all_sentences_have_ended() {
    let mut early = 0;
    for config in configs() {
        for beam in [Beam::GREEDY, BEAM] {
            let (model, together) = search(&mut Cpu::<f32>::new(), &config, beam);
            let mut runs = vec![];
            for (source, expected) in sources().into_iter().zip(together) {
                let mut device = Counting::new(usize::MAX);
                let mut search = open(&mut device, &config, &parameters(&*model), beam, Limit::Usual);
                let alone = search.translate(&mut device, &[source]);
                assert_eq!(alone.expect("a search"), [expected], "{:?} {beam:?}", config.model);
                runs.extend(Some(device.runs.get()).filter(|&runs| runs > 0));
            }
            println!("{} {beam:?}: {runs:?}", config.model.kind());
            // The encoder and one part, or all parts.
            early += usize::from(2 * runs.iter().min().expect("searches") < *runs.iter().max().expect("searches"));
        }
    }
    assert!(early >= 3, "only {early} of 10 searches have both sentences that end early and sentences that do not");
}

/// A line is handed on before a longer one behind it is searched for that does not share its batch. Pieces are
/// translated as they are by themselves, beside those of other lines too.
#[test]
fn a_long_line_does_not_hold_up_those_before_it() {
    let config = config("tiny", &[]);
    let words = ["A b c d E".to_owned()];
    let settings = TokenizerSettings { kind: TokenizerKind::Word, vocabulary: 9, min_frequency: 1, lowercase: false };
    let tokenizer = Tokenizer::train(&words, &settings, &mut ()).expect("a tokenizer");
    assert_eq!(tokenizer.vocabulary_size(), VOCABULARY);
    let mut device = Counting::new(usize::MAX);
    let runs = device.runs.clone();
    let parameters = parameters(&*models::build(&config.model, [VOCABULARY; 2]));
    let search = open(&mut device, &config, &parameters, Beam::GREEDY, Limit::Usual);
    let mut translator = Translator::new([tokenizer.clone(), tokenizer], search, 4);
    let mut translate = |lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let mut found: Vec<(Translated, usize)> = vec![];
        let mut said = |line| found.push((line, runs.get()));
        assert!(translator.translate(&mut device, &lines, &|| true, &mut said).expect("translations"));
        found
    };
    let long = "A b. A c d. E c b c d E b b.";
    let pieces = ["A b. ", "A c d. ", "E c b c ", "d E b ", "b."];
    let found = translate(&["A b", long, "c d", long]);
    assert!(found[0].1 < found[1].1 && found[1].1 == found[2].1 && found[2].1 == found[3].1, "{found:?}");
    // A batch has 64 rows.
    let longer = [long; 20].join(" ");
    let apart = translate(&["A b", long, "c d", &longer, "c d"]);
    assert!(apart[1].1 == apart[2].1 && apart[2].1 < apart[3].1 && apart[3].1 == apart[4].1, "{apart:?}");
    assert_eq!((&apart[1].0, apart[3].0.pieces), (&found[1].0, 100));
    assert_eq!((found[1].0.pieces, found[1].0.tokens, &found[3].0), (5, 16, &found[1].0));
    let alone: Vec<String> = translate(&pieces).into_iter().map(|(line, _)| line.text).collect();
    let joined: Vec<&str> = alone.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    assert_eq!(found[1].0.text, joined.join(" "));
}

/// What a device cannot hold costs itself only, and what was prepared before still runs.
#[test]
fn a_sentence_that_a_device_cannot_hold_costs_itself_only() {
    for config in configs() {
        for beam in [Beam::GREEDY, BEAM] {
            let model = models::build(&config.model, [VOCABULARY; 2]);
            let mut sources = mixed_sources();
            sources.iter_mut().for_each(|source| source.truncate(17));
            let mut cpu = Cpu::<f32>::new();
            let parameters = parameters(&*model);
            let expected = open(&mut cpu, &config, &parameters, beam, Limit::Tokens(4)).translate(&mut cpu, &sources);
            // The least power of two that holds all, and half as much.
            let mut device = Counting::new(usize::MAX);
            let mut largest = |sources: &[Vec<u32>]| {
                (0..24).map(|bits| 1 << bits).find(|&most| {
                    device.most = most;
                    let mut search = open(&mut device, &config, &parameters, beam, Limit::Tokens(4));
                    let found = search.translate(&mut device, sources).expect("a search");
                    found.iter().all(|found| !matches!(found.end, End::OutOfMemory(_)))
                })
            };
            let most = largest(&sources).expect("24 bits hold it");
            device.most = most / 2;
            let mut search = open(&mut device, &config, &parameters, beam, Limit::Tokens(4));
            let (mut lost, mut kept) = (0, 0);
            for _ in 0..2 {
                let found = search.translate(&mut device, &sources).expect("a search");
                for (found, expected) in found.iter().zip(expected.as_ref().expect("a search")) {
                    match &found.end {
                        End::OutOfMemory(message) => {
                            assert!(found.tokens.is_empty() && message == "too small");
                            lost += 1;
                        }
                        _ => {
                            assert_eq!(found, expected);
                            kept += 1;
                        }
                    }
                }
            }
            assert!(lost > 0 && kept > 0, "{lost} lost, {kept} kept: {:?}", config.model);
        }
    }
}

/// The same on an adapter, whose bindings end at 128 MiB: an LSTM's gates of 264 positions are larger.
#[test]
fn a_sentence_that_an_adapter_cannot_bind_costs_itself_only() {
    let mut gpu = gpu::open_apart(Limits::WebGpu, 1);
    let config = config("tiny", &["model.rnn=lstm", "model.hidden=512", "model.attention=none"]);
    let parameters = parameters(&*models::build(&config.model, [VOCABULARY; 2]));
    let mut search = open(&mut gpu, &config, &parameters, Beam::GREEDY, Limit::Tokens(4));
    let sources = [vec![4, 5, 6], vec![4; 260], vec![7, 5], vec![8; 12]];
    let expected = search.translate(&mut gpu, &[&sources[..1], &sources[2..]].concat()).expect("a search");
    for _ in 0..2 {
        let mut found = search.translate(&mut gpu, &sources).expect("a search");
        let End::OutOfMemory(message) = found.remove(1).end else { panic!("an adapter bound 264 x 64 x 2048 numbers") };
        assert!(message.contains("this adapter binds"), "{message}");
        assert_eq!(found, expected);
    }
}

/// ln p of a translation that has ended, by the model's own forced logits.
fn log_probability(model: &dyn Model, config: &Config, source: &[u32], target: &[u32]) -> f64 {
    let mut cpu = Cpu::<f32>::new();
    let parameters = parameters(model);
    cpu.allocate("parameters", &TensorType::f32(&[parameters.len()])).expect("memory");
    cpu.write_f32("parameters", &parameters).expect("it is there");
    let ids = |start: &[u32], words: &[u32]| start.iter().chain(words).chain(&[EOS]).map(|&id| i64::from(id)).collect();
    let batch = IdBatch { sentences: 1, source: ids(&[], source), target: ids(&[SOS], target) };
    let tensors = dump(&mut cpu, model, config, [VOCABULARY; 2], &batch).expect("a dump");
    -f64::from(tensors[1].values[0]) * (target.len() + 1) as f64
}

#[test]
fn a_beam_is_at_least_as_good() {
    let (mut better, mut compared) = (0, 0);
    for attention in ["dot", "general", "additive"] {
        let (more, of) = compare(&config("tiny", &[&format!("model.attention={attention}")]));
        (better, compared) = (better + more, compared + of);
    }
    assert!(better > 0, "the beam found what greedy search found: it is not tested");
    assert!(compared >= 15, "only {compared} translations ended");
}

/// Of how many sources the beam's translation is likelier than the greedy one, and how many were compared.
fn compare(config: &Config) -> (usize, usize) {
    let (model, greedy) = search(&mut Cpu::<f32>::new(), config, Beam::GREEDY);
    let (_, wide) = search(&mut Cpu::<f32>::new(), config, Beam { width: 9, ..BEAM });
    let (mut better, mut compared) = (0, 0);
    for ((source, greedy), wide) in sources().iter().zip(&greedy).zip(&wide) {
        // A translation that ran into the limit has no end to score.
        if source.is_empty() || greedy.end != End::Eos || wide.end != End::Eos {
            continue;
        }
        let of = |found: &Translation| log_probability(&*model, config, source, &found.tokens);
        let (of_greedy, of_wide) = (of(greedy), of(wide));
        assert!(of_wide >= of_greedy - 1e-4, "{source:?}: beam {wide:?} {of_wide}, greedy {greedy:?} {of_greedy}");
        compared += 1;
        better += usize::from(of_wide > of_greedy + 1e-4);
    }
    (better, compared)
}
