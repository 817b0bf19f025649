//! Microsoft's compiler of HLSL, as Direct3D 12 has it. It is a library of COM objects: pointers to a table of
//! functions.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::LazyLock;

use libloading::Library;

/// Where `tests/install_targets.sh` puts version 1.6. Others have other tables of functions.
const PATH: &str = "/usr/local/lib/wgrad/libdxcompiler-1.6.so";

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    // SAFETY: loading it runs its own initialization only.
    unsafe { Library::new(PATH) }.unwrap_or_else(|e| {
        panic!("cannot load DXC ({e}), which judges the HLSL. Install it: tests/install_targets.sh")
    })
});

#[repr(C)]
struct Guid(u32, u16, u16, [u8; 8]);

const DXC_LIBRARY: Guid = Guid(0x6245_d6af, 0x66e0, 0x48fd, [0x80, 0xb4, 0x4d, 0x27, 0x17, 0x96, 0x74, 0x8c]);
const I_DXC_LIBRARY: Guid = Guid(0xe520_4dc7, 0xd18c, 0x4c3c, [0xbd, 0xfb, 0x85, 0x16, 0x73, 0x98, 0x0f, 0xe7]);
const DXC_COMPILER: Guid = Guid(0x73e2_2d93, 0xe6ce, 0x47f3, [0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0]);
const I_DXC_COMPILER: Guid = Guid(0x8c21_0bf3, 0x011f, 0x4422, [0x8d, 0x70, 0x6f, 0x9a, 0xcb, 0x8d, 0xb6, 0x17]);

type Create = unsafe extern "C" fn(*const Guid, *const Guid, *mut *mut c_void) -> c_int;
type Release = unsafe extern "C" fn(*mut c_void) -> u32;
/// IDxcLibrary::CreateBlobWithEncodingFromPinned: text, bytes, code page, result
type BlobOf = unsafe extern "C" fn(*mut c_void, *const c_char, u32, u32, *mut *mut c_void) -> c_int;
/// IDxcCompiler::Compile: source, its name, entry point, profile, arguments and their number, definitions and their
/// number, include handler, result
type Compile = unsafe extern "C" fn(
    *mut c_void,
    *mut c_void,
    *const u32,
    *const u32,
    *const u32,
    *const *const u32,
    u32,
    *const c_void,
    u32,
    *const c_void,
    *mut *mut c_void,
) -> c_int;
/// IDxcOperationResult::GetStatus
type Status = unsafe extern "C" fn(*mut c_void, *mut c_int) -> c_int;
/// IDxcOperationResult::GetErrorBuffer
type Errors = unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> c_int;
/// IDxcBlob::GetBufferPointer
type Contents = unsafe extern "C" fn(*mut c_void) -> *const u8;
/// IDxcBlob::GetBufferSize
type Size = unsafe extern "C" fn(*mut c_void) -> usize;

const RELEASE: usize = 2;
/// The first place after those of IUnknown: QueryInterface, AddRef, Release, and in version 1.6 for Linux two
/// destructors.
const FIRST: usize = 5;
const UTF8: u32 = 65001;

/// An object of the library, which counts its references.
struct Object(*mut c_void);

impl Object {
    /// What `make` writes to the place that it is given.
    fn made(make: impl FnOnce(*mut *mut c_void) -> c_int) -> Self {
        let mut object = ptr::null_mut();
        let status = make(&mut object);
        assert!(status >= 0 && !object.is_null(), "DXC gave {status:#x}");
        Self(object)
    }

    fn create(class: &Guid, interface: &Guid) -> Self {
        // SAFETY: the type is that of dxcapi.h.
        let create = unsafe { LIBRARY.get::<Create>(b"DxcCreateInstance\0") }.expect("its only function");
        // SAFETY: both identifiers live as long as the call.
        Self::made(|object| unsafe { create(class, interface, object) })
    }

    /// Function `place` of the object's table.
    ///
    /// # Safety
    /// It has the type `F`.
    unsafe fn function<F: Copy>(&self, place: usize) -> F {
        // SAFETY: an object begins with the pointer to its table, and a function's pointer is as large as any.
        unsafe { ptr::read((*self.0.cast::<*const *const c_void>()).add(place).cast::<F>()) }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: the reference is ours.
        unsafe { self.function::<Release>(RELEASE)(self.0) };
    }
}

/// Text as the library takes it on Linux: UTF-32, a zero at its end.
fn wide(text: &str) -> Vec<u32> {
    text.chars().map(u32::from).chain([0]).collect()
}

/// Compiles an entry point; the error is what the compiler says.
pub fn compile(hlsl: &str, entry: &str, profile: &str, arguments: &[&str]) -> Result<(), String> {
    let library = Object::create(&DXC_LIBRARY, &I_DXC_LIBRARY);
    let compiler = Object::create(&DXC_COMPILER, &I_DXC_COMPILER);
    let length = u32::try_from(hlsl.len()).expect("a shader");
    let [name, entry, profile] = ["kernel.hlsl", entry, profile].map(wide);
    let arguments: Vec<_> = arguments.iter().map(|argument| wide(argument)).collect();
    let pointers: Vec<_> = arguments.iter().map(Vec::as_ptr).collect();
    // SAFETY: places and types are those of dxcapi.h, and everything that is pointed to outlives the result.
    unsafe {
        let source = Object::made(|blob| {
            library.function::<BlobOf>(FIRST + 3)(library.0, hlsl.as_ptr().cast(), length, UTF8, blob)
        });
        let result = Object::made(|result| {
            let (count, nothing) = (pointers.len() as u32, ptr::null());
            compiler.function::<Compile>(FIRST)(
                compiler.0,
                source.0,
                name.as_ptr(),
                entry.as_ptr(),
                profile.as_ptr(),
                pointers.as_ptr(),
                count,
                nothing,
                0,
                nothing,
                result,
            )
        });
        let mut status = 0;
        let told = result.function::<Status>(FIRST)(result.0, &mut status);
        assert!(told >= 0, "DXC gave {told:#x}");
        if status >= 0 {
            return Ok(());
        }
        let errors = Object::made(|errors| result.function::<Errors>(FIRST + 2)(result.0, errors));
        let (text, size) = (errors.function::<Contents>(FIRST)(errors.0), errors.function::<Size>(FIRST + 1)(errors.0));
        Err(format!("DXC: {}", String::from_utf8_lossy(std::slice::from_raw_parts(text, size))))
    }
}
