// Coverage-guided fuzzing of the machine: libFuzzer's entry point, which gives its bytes to `check` of programs.py.
// Python is embedded, and loads the extension that was built with the same sanitizers and with coverage; what goes wrong
// in the core ends the process there, and an exception in Python ends it here. Built and run by __main__.py.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

PyObject* check = nullptr;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    if (PyErr_Occurred() != nullptr)
        PyErr_Print();
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* python = std::getenv("EVMCORE_FUZZ_PYTHON");
    if (python == nullptr)
        fail("EVMCORE_FUZZ_PYTHON has to name the Python whose packages are to be used");
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;  // Ctrl-C is libFuzzer's
    // From its place Python finds the virtual environment.
    if (PyStatus_Exception(PyConfig_SetBytesString(&config, &config.program_name, python)) ||
        PyStatus_Exception(PyConfig_SetBytesString(&config, &config.executable, python)) ||
        PyStatus_Exception(Py_InitializeFromConfig(&config)))
        fail("Python doesn't start");
    PyConfig_Clear(&config);
    PyObject* module = PyImport_ImportModule("fuzz.programs");
    if (module == nullptr || (check = PyObject_GetAttrString(module, "check")) == nullptr)
        fail("tests/fuzz/programs.py doesn't load");
    Py_DECREF(module);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    PyObject* result = PyObject_CallFunction(check, "y#", reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size));
    if (result == nullptr)
        fail("an exception:");
    Py_DECREF(result);
    return 0;
}
