//! `wgrad devices`

use crate::gpu;
use clap::Args;

#[derive(Debug, Args)]
pub struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> anyhow::Result<()> {
        let adapters = gpu::list();
        let threads = rayon::current_num_threads();
        if self.json {
            let object = serde_json::json!({ "adapters": adapters, "cpu": { "threads": threads } });
            println!("{}", serde_json::to_string_pretty(&object)?);
            return Ok(());
        }
        for adapter in &adapters {
            println!("{:40} {:16} {:8} {}", adapter.name, adapter.kind, adapter.backend, adapter.driver);
        }
        println!("{:40} {threads} threads", "cpu");
        if adapters.is_empty() {
            println!("\nNo graphics adapter was found. {}.", gpu::install_hint());
        }
        println!(
            "\nTake one with --device NAME; part of the name, or the backend, is enough. auto takes the first that is \
             not software, else cpu."
        );
        Ok(())
    }
}
