//! Probes what the machine can compute with: processor, memory, graphics processors.

use std::num::NonZeroUsize;

use crate::simd::{SimdLevel, simd_level};

/// One graphics processor with a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// The maker's name.
    pub name: String,
    /// All of its memory.
    pub memory_bytes: u64,
    /// What is free of it.
    pub free_bytes: u64,
    /// CUDA compute capability, such as (8, 9).
    pub compute_capability: Option<(u32, u32)>,
}

/// What the probe found. Graphics processors are reported, not yet computed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// The processor's name, empty if the system does not say.
    pub cpu: String,
    /// Processors this process may use.
    pub threads: usize,
    /// Instructions the kernels use.
    pub simd: SimdLevel,
    /// All memory of the machine, or of the control group this process is confined to.
    pub memory_bytes: u64,
    /// What is free of it.
    pub available_bytes: u64,
    /// Graphics processors; empty without a driver.
    pub gpus: Vec<Gpu>,
    /// Why `gpus` is empty, in a few words for a person.
    pub gpu_note: String,
}

impl Hardware {
    /// Looks at the machine. Takes some milliseconds; never fails, an unknown figure is zero or empty.
    pub fn probe() -> Self {
        let (memory_bytes, available_bytes) = memory();
        let (gpus, gpu_note) = gpus();
        Self {
            cpu: cpu_name(),
            threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            simd: simd_level(),
            memory_bytes,
            available_bytes,
            gpus,
            gpu_note,
        }
    }
}

/// Gives total and free memory, the smaller of machine and control group.
pub(crate) fn memory() -> (u64, u64) {
    let Ok(mut system) = sysinfo::System::new() else {
        return (0, 0);
    };
    system.refresh_memory();
    let (total, available) = (system.total_memory(), system.available_memory());
    match system.cgroup_limits() {
        Some(group) if group.total_memory > 0 => {
            (total.min(group.total_memory), available.min(group.free_memory))
        }
        Some(_) | None => (total, available),
    }
}

fn cpu_name() -> String {
    let Ok(mut system) = sysinfo::System::new() else {
        return String::new();
    };
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    system
        .cpus()
        .first()
        .map(|cpu| cpu.brand().trim().to_owned())
        .unwrap_or_default()
}

/// Asks the driver's management library, which is opened at run time and absent on most machines.
fn gpus() -> (Vec<Gpu>, String) {
    let nvml = match nvml_wrapper::Nvml::init() {
        Ok(nvml) => nvml,
        Err(_) => return (Vec::new(), without_nvml()),
    };
    let count = nvml.device_count().unwrap_or(0);
    let gpus: Vec<Gpu> = (0..count)
        .filter_map(|index| {
            let device = nvml.device_by_index(index).ok()?;
            let memory = device.memory_info().ok()?;
            let capability = device.cuda_compute_capability().ok();
            Some(Gpu {
                name: device.name().ok()?,
                memory_bytes: memory.total,
                free_bytes: memory.free,
                compute_capability: capability
                    .and_then(|c| Some((u32::try_from(c.major).ok()?, u32::try_from(c.minor).ok()?))),
            })
        })
        .collect();
    let note = if gpus.is_empty() {
        "a driver is installed, but it shows no graphics processor".to_owned()
    } else {
        String::new()
    };
    (gpus, note)
}

fn without_nvml() -> String {
    // The question must come before any other call: with run-time loading a missing library panics.
    // SAFETY: The call only tries to open the driver's shared library by its system name.
    #[allow(unsafe_code, reason = "asks whether the driver's library can be opened")]
    let driver = unsafe { cudarc::driver::sys::is_culib_present() };
    if driver {
        "a CUDA driver is installed, but its management library does not answer".to_owned()
    } else {
        "none: no graphics driver found".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probe_answers_without_a_driver() {
        let hardware = Hardware::probe();
        assert!(hardware.threads >= 1);
        assert!(hardware.memory_bytes >= hardware.available_bytes);
        assert_eq!(hardware.gpus.is_empty(), !hardware.gpu_note.is_empty());
    }
}
