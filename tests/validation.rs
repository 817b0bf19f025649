//! Whether the tests notice an error of Vulkan's validation layers: `tests/validation.sh` runs this one under the
//! layers, and expects it to abort.

mod gpu;

#[test]
#[ignore = "aborts under the validation layers, as tests/validation.sh expects"]
fn an_error_of_the_layers_ends_the_tests() {
    gpu::open();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("an adapter");
    let (device, _) = pollster::block_on(adapter.request_device(&Default::default())).expect("a device");
    // SAFETY: none. Vulkan forbids buffers of 0 bytes, wgpu makes none, and so this goes past it.
    let buffer = unsafe {
        let device = device.as_hal::<wgpu::hal::api::Vulkan>().expect("a Vulkan device");
        device.raw_device().create_buffer(&Default::default(), None)
    };
    println!("no layer objected to a buffer of 0 bytes: {buffer:?}");
}
