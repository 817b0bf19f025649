// Dawn, Chrome's WebGPU, as tests/targets/dawn.rs orders it about. Arguments: Dawn's library and the name that its
// adapter's begins with.
//
// An order is two lengths in bytes (u32), then JSON, then words of 32 bits; the answer is the same. JSON of an answer
// with `error` says what Dawn has against it.
'use strict';
const fs = require('node:fs');

const [library, adapterName] = process.argv.slice(2);
const { create, globals } = require(library);
Object.assign(globalThis, globals);

function take(length) {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length;) {
        const got = fs.readSync(0, bytes, at, length - at);
        if (got === 0) process.exit();
        at += got;
    }
    return bytes;
}

function give(bytes) {
    for (let at = 0; at < bytes.length;) at += fs.writeSync(1, bytes, at);
}

function nextOrder() {
    const lengths = take(8);
    const order = JSON.parse(take(lengths.readUInt32LE(0)).toString());
    return [order, take(lengths.readUInt32LE(4))];
}

function answer(said, words = Buffer.alloc(0)) {
    const json = Buffer.from(JSON.stringify(said));
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(json.length, 0);
    lengths.writeUInt32LE(words.length, 4);
    give(Buffer.concat([lengths, json, words]));
}

class Orders {
    modules = [];
    pipelines = [];
    buffers = new Map();

    constructor(device) {
        this.device = device;
    }

    // What `work` gives; throws what Dawn has against it.
    async valid(work) {
        this.device.pushErrorScope('validation');
        this.device.pushErrorScope('out-of-memory');
        const done = await work();
        for (const scope of [this.device.popErrorScope(), this.device.popErrorScope()]) {
            const error = await scope;
            if (error) throw error;
        }
        return done;
    }

    // WGSL: its number, or what Tint has against it, with a line.
    async module({ code }) {
        this.device.pushErrorScope('validation');
        const module = this.device.createShaderModule({ code });
        const { messages } = await module.getCompilationInfo();
        await this.device.popErrorScope();
        const error = messages.find((message) => message.type === 'error');
        return error ? { error: error.message, line: error.lineNum } : { number: this.modules.push(module) - 1 };
    }

    // An entry point: its number. `writable`: of each storage buffer.
    async pipeline({ module, entry, writable, uniform }) {
        const types = writable.map((write) => (write ? 'storage' : 'read-only-storage'))
            .concat(uniform ? ['uniform'] : []);
        const entries = types.map((type, binding) => (
            { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
        const pipeline = await this.valid(() => {
            const layout = this.device.createPipelineLayout({
                bindGroupLayouts: [this.device.createBindGroupLayout({ entries })],
            });
            return this.device.createComputePipelineAsync({
                layout, compute: { module: this.modules[module], entryPoint: entry },
            });
        });
        return { number: this.pipelines.push(pipeline) - 1 };
    }

    // Makes a buffer of zeros, or replaces the one of this name.
    async allocate({ name, words }) {
        this.buffers.get(name)?.destroy();
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        this.buffers.set(name, await this.valid(() => this.device.createBuffer({ size: 4 * words, usage })));
        return {};
    }

    async write({ name }, words) {
        await this.valid(() => this.device.queue.writeBuffer(this.buffers.get(name), 0, words));
        return {};
    }

    // One submit, a pass a launch. A region is a buffer's name, and an offset and a length in words.
    async run({ launches }) {
        const uniforms = [];
        await this.valid(() => {
            const encoder = this.device.createCommandEncoder();
            for (const { pipeline, regions, uniform, workgroups } of launches) {
                const resources = regions.map(([name, offset, length]) => (
                    { buffer: this.buffers.get(name), offset: 4 * offset, size: 4 * length }
                ));
                if (uniform.length > 0) {
                    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
                    // The size of a struct with a vector is a multiple of 16 bytes.
                    const buffer = this.device.createBuffer({ size: 16 * Math.ceil(uniform.length / 4), usage });
                    this.device.queue.writeBuffer(buffer, 0, new Uint32Array(uniform));
                    uniforms.push(buffer);
                    resources.push({ buffer });
                }
                const entries = resources.map((resource, binding) => ({ binding, resource }));
                const layout = this.pipelines[pipeline].getBindGroupLayout(0);
                const pass = encoder.beginComputePass();
                pass.setPipeline(this.pipelines[pipeline]);
                pass.setBindGroup(0, this.device.createBindGroup({ layout, entries }));
                pass.dispatchWorkgroups(...workgroups);
                pass.end();
            }
            this.device.queue.submit([encoder.finish()]);
        });
        uniforms.forEach((buffer) => buffer.destroy());
        return {};
    }

    async read({ region: [name, offset, length] }) {
        const size = 4 * length;
        const copy = await this.valid(() => {
            const copy = this.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
            const encoder = this.device.createCommandEncoder();
            encoder.copyBufferToBuffer(this.buffers.get(name), 4 * offset, copy, 0, size);
            this.device.queue.submit([encoder.finish()]);
            return copy;
        });
        await copy.mapAsync(GPUMapMode.READ);
        const words = Buffer.from(copy.getMappedRange().slice(0));
        copy.destroy();
        return [{}, words];
    }
}

async function main() {
    const gpu = create([`adapter=${adapterName}`]);
    const adapter = await gpu.requestAdapter();
    // No limit above WebGPU's guaranteed ones
    const requiredFeatures = ['subgroups', 'shader-f16'].filter((feature) => adapter.features.has(feature));
    const device = await adapter.requestDevice({ requiredFeatures });
    // Without a reference to each, Node crashes.
    globalThis.kept = [gpu, adapter, device];
    const orders = new Orders(device);
    answer({
        description: adapter.info.description,
        features: requiredFeatures,
        subgroup: adapter.info.subgroupMinSize,
    });
    for (;;) {
        const [order, words] = nextOrder();
        try {
            answer(...[await orders[order.do](order, words)].flat());
        } catch (error) {
            answer({ error: error.message });
        }
    }
}

main().catch((error) => {
    console.error(error.message);
    process.exit(1);
});
