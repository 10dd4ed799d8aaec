//! `--backend` becomes a burn device; what the adapters are.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use serde::{Deserialize, Serialize};

use crate::config::{Backend, BackendChoice};
use crate::error::{Error, Result, panic_text};

/// A graphics adapter as its driver describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adapter {
    /// The adapter's name.
    pub name: String,
    /// What kind of device it is.
    pub kind: AdapterKind,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub api: String,
    /// The driver's name and version, as far as it tells them.
    pub driver: String,
}

/// What kind of device an [`Adapter`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterKind {
    /// A card of its own.
    DiscreteGpu,
    /// A part of the processor.
    IntegratedGpu,
    /// A share of a GPU given to a virtual machine.
    VirtualGpu,
    /// A software implementation that computes on the processor.
    Software,
    /// The driver does not say.
    Unknown,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdapterKind::DiscreteGpu => "discrete GPU",
            AdapterKind::IntegratedGpu => "integrated GPU",
            AdapterKind::VirtualGpu => "virtual GPU",
            AdapterKind::Software => "software",
            AdapterKind::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, api, driver } = self;
        write!(f, "{name} ({kind}, {api}, {driver})")
    }
}

impl Adapter {
    fn new(info: &wgpu::AdapterInfo) -> Self {
        let driver = format!("{} {}", info.driver, info.driver_info);
        Self {
            name: info.name.clone(),
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => AdapterKind::DiscreteGpu,
                wgpu::DeviceType::IntegratedGpu => AdapterKind::IntegratedGpu,
                wgpu::DeviceType::VirtualGpu => AdapterKind::VirtualGpu,
                wgpu::DeviceType::Cpu => AdapterKind::Software,
                wgpu::DeviceType::Other => AdapterKind::Unknown,
            },
            api: info.backend.to_string(),
            driver: match driver.trim() {
                "" => "driver not named".into(),
                driver => driver.into(),
            },
        }
    }

    /// Whether it is hardware of its own, and not a program on the processor.
    pub(crate) fn is_gpu(&self) -> bool {
        self.kind != AdapterKind::Software
    }
}

/// A device ready for tensors.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The burn device.
    pub device: Device,
    /// The backend behind it.
    pub backend: Backend,
    /// The adapter, on wgpu.
    pub adapter: Option<Adapter>,
    /// Why this one, in words.
    pub reason: String,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.backend, &self.adapter) {
            (_, Some(adapter)) => write!(f, "wgpu on {adapter}: {}", self.reason),
            (Backend::Ndarray, _) => write!(f, "CPU (burn ndarray): {}", self.reason),
            _ => write!(f, "CPU (burn flex): {}", self.reason),
        }
    }
}

/// Every adapter that wgpu finds on this machine: those of Vulkan, Metal and DX12, and only where
/// there are none those of OpenGL. They are looked for once, because drivers print complaints of their own.
pub fn adapters() -> &'static [Adapter] {
    static FOUND: OnceLock<Vec<Adapter>> = OnceLock::new();
    let tiers = [wgpu::Backends::PRIMARY, wgpu::Backends::SECONDARY];
    let find = || tiers.into_iter().map(adapters_of).find(|found| !found.is_empty());
    FOUND.get_or_init(|| find().unwrap_or_default())
}

fn adapters_of(backends: wgpu::Backends) -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let found = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
    found.iter().map(|adapter| Adapter::new(&adapter.get_info())).collect()
}

/// What [`BackendChoice::Auto`] takes among these adapters, and why.
pub fn automatic(adapters: &[Adapter]) -> (Backend, String) {
    if adapters.iter().any(Adapter::is_gpu) {
        return (Backend::Wgpu, "chosen because this machine has a GPU".into());
    }
    let reason = match adapters {
        [] => "chosen because wgpu finds no adapter here",
        _ => "chosen because the only adapters here are software; --backend wgpu takes one anyway",
    };
    (Backend::Cpu, reason.into())
}

/// Opens the device that was asked for, or the best of this machine where it is left open.
///
/// # Errors
/// As [`open`]: an explicit choice is never swapped for another.
pub fn choose(asked: BackendChoice) -> Result<Chosen> {
    if let Some(backend) = asked.named() {
        return open(backend);
    }
    let (backend, reason) = automatic(adapters());
    if backend != Backend::Wgpu {
        return Ok(Chosen { reason, ..open(backend)? });
    }
    // burn picks the adapter by rules of its own, and a driver that is listed may not start.
    let reason = match open_wgpu() {
        Ok((device, adapter)) if adapter.is_gpu() => {
            return Ok(Chosen { device, backend, adapter: Some(adapter), reason });
        }
        Ok((_, other)) => format!("chosen because burn would compute on {other}"),
        Err(error) => format!("chosen because no GPU starts: {}", error.message()),
    };
    Ok(Chosen { reason, ..open(Backend::Cpu)? })
}

/// Opens the device of `backend`.
///
/// # Errors
/// On wgpu, where there is no adapter or it does not start.
pub fn open(backend: Backend) -> Result<Chosen> {
    let (device, adapter) = match backend {
        Backend::Wgpu => open_wgpu().map(|(device, adapter)| (device, Some(adapter)))?,
        Backend::Cpu => (Device::flex(), None),
        Backend::Ndarray => (ndarray(), None),
    };
    Ok(Chosen { device, backend, adapter, reason: "as asked".into() })
}

/// burn deprecates its ndarray backend in favour of flex; it stays selectable because the project's
/// users compare the two.
#[allow(deprecated)]
fn ndarray() -> Device {
    Device::ndarray()
}

fn open_wgpu() -> Result<(Device, Adapter)> {
    let (device, setup) = opened_wgpu()?;
    Ok((device.clone(), Adapter::new(&setup.adapter.get_info())))
}

/// What burn computes with on wgpu, for work beside burn's on the same adapter and queue.
///
/// # Errors
/// Where there is no adapter, or it does not start.
pub fn wgpu_setup() -> Result<&'static WgpuSetup> {
    opened_wgpu().map(|(_, setup)| setup)
}

/// Whether an adapter that was opened is hardware of its own, and not a program on the processor.
pub fn is_gpu(setup: &WgpuSetup) -> bool {
    Adapter::new(&setup.adapter.get_info()).is_gpu()
}

/// The wgpu device of this process: burn allows one initialisation per selector.
fn opened_wgpu() -> Result<&'static (Device, WgpuSetup)> {
    static OPENED: OnceLock<std::result::Result<(Device, WgpuSetup), String>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| {
        Device::wgpu_options().init_with_setup().map_err(|error| error.to_string())
    });
    opened.as_ref().map_err(|reason| {
        Error::input(format!("--backend wgpu: no adapter could be opened: {reason}")).help(
            "install a Vulkan driver (Debian: apt-get install mesa-vulkan-drivers for a software \
             one), see `modescope devices`, or use --backend cpu",
        )
    })
}

/// Does work on a device of this backend, where a graphics device that fails is an error: burn panics
/// then.
///
/// # Errors
/// That the device failed, or what `work` returns.
pub(crate) fn guarded<T>(backend: Backend, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if backend != Backend::Wgpu {
        return work();
    }
    // What the work had in its hands is left behind with the device.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let why = panic_text(&*panic);
        Err(Error::device(format!("the graphics device failed: {why}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(kind: AdapterKind) -> Adapter {
        let text = |text: &str| text.to_owned();
        Adapter { name: text("a"), kind, api: text("vulkan"), driver: text("d") }
    }

    #[test]
    fn auto_takes_a_gpu_and_nothing_less() {
        let (gpu, software) = (adapter(AdapterKind::DiscreteGpu), adapter(AdapterKind::Software));
        assert_eq!(automatic(&[software.clone(), gpu]).0, Backend::Wgpu);
        assert_eq!(automatic(&[software]).0, Backend::Cpu);
        assert_eq!(automatic(&[]).0, Backend::Cpu);
    }

    #[test]
    fn explicit_cpu_backends_are_what_they_say() {
        for backend in [Backend::Cpu, Backend::Ndarray] {
            let chosen = open(backend).unwrap();
            assert_eq!((chosen.backend, chosen.adapter), (backend, None));
        }
    }

    #[test]
    fn a_graphics_device_that_panics_is_an_error() {
        let error = guarded::<()>(Backend::Wgpu, || panic!("no queue")).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Device);
        assert_eq!(error.message(), "the graphics device failed: no queue");
        assert_eq!(guarded(Backend::Wgpu, || Ok(1)).unwrap(), 1);
        assert_eq!(guarded(Backend::Cpu, || Ok(2)).unwrap(), 2);
    }
}
