#!/bin/sh
# Runs the tests that launch most kernels under Vulkan's validation layers (with their checks of synchronization); the
# first error they report ends it. Before that, makes sure that an error would be noticed. Arguments go to `cargo test`.
set -eu
cd "$(dirname "$0")/.."
. tests/system.sh

# Debian 12's own layers of 2023 take WGSL for no language that SPIR-V can be made from. Chromium brings newer ones,
# without a manifest.
layers=$(ls /usr/lib*/chromium*/libVkLayer_khronos_validation.so 2> /dev/null | head -n 1)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
if [ -n "$layers" ]; then
    cat > "$temporary/VkLayer_khronos_validation.json" << END
{ "file_format_version": "1.2.0", "layer": {
    "name": "VK_LAYER_KHRONOS_validation", "type": "GLOBAL", "library_path": "$layers", "api_version": "1.4.0",
    "implementation_version": "1", "description": "Khronos Validation Layer",
    "instance_extensions": [
        { "name": "VK_EXT_debug_utils", "spec_version": "1" },
        { "name": "VK_EXT_validation_features", "spec_version": "2" }
    ]
} }
END
    export VK_LAYER_PATH="$temporary"
elif [ ! -e /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ]; then
    install_packages "Vulkan's validation layers" chromium-common vulkan-validation-layers vulkan-validation-layers
    exec "$0" "$@"
fi

cargo test --test validation --no-run
if cargo test --test validation -- --ignored > "$temporary/said" 2>&1; then
    cat "$temporary/said"
    fail "the validation layers were not loaded, or their errors go unnoticed"
fi
grep -q 'VUID-VkBufferCreateInfo-size' "$temporary/said" || {
    cat "$temporary/said"
    fail "another error than the one provoked"
}
say "a provoked error was noticed"

cargo test --test kernels --test step --test search --test fixtures "$@"
