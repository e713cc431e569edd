# One function builds every extension of codecarbon._sensors.
#
# Cython finds .pxd files by package path, so the sources are staged behind a link that is spelled like the
# installed tree. Memoryview support is compiled once, into _cyutility, and shared by all extensions.
set(CODECARBON_STAGE "${CMAKE_BINARY_DIR}/cython")
set(CODECARBON_PACKAGE codecarbon._sensors)
set(CODECARBON_SENSORS_DIR "${CMAKE_SOURCE_DIR}/src/_sensors")

file(MAKE_DIRECTORY "${CODECARBON_STAGE}/codecarbon")
file(TOUCH "${CODECARBON_STAGE}/codecarbon/__init__.py")
file(CREATE_LINK "${CODECARBON_SENSORS_DIR}" "${CODECARBON_STAGE}/codecarbon/_sensors" COPY_ON_ERROR SYMBOLIC)

function(codecarbon_native_options target)
  # _GNU_SOURCE comes from the command line: Python.h defines it too, and the first definition wins.
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_features(${target} PRIVATE c_std_11)
  target_include_directories(${target} PRIVATE "${CODECARBON_SENSORS_DIR}/c")
  target_compile_options(${target} PRIVATE -fvisibility=hidden)
  target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m)
  if(CODECARBON_SANITIZE)
    target_compile_options(${target} PRIVATE "-fsanitize=${CODECARBON_SANITIZE}" -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE "-fsanitize=${CODECARBON_SANITIZE}")
  endif()
  install(TARGETS ${target} DESTINATION codecarbon/_sensors)
endfunction()

# The shared utility module needs its full name, or it lands in sys.modules bare.
add_custom_command(
  OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/_cyutility.c" VERBATIM
  COMMAND Python::Interpreter -m cython --module-name ${CODECARBON_PACKAGE}._cyutility
          "--generate-shared=${CMAKE_CURRENT_BINARY_DIR}/_cyutility.c")
python_add_library(_cyutility MODULE WITH_SOABI "${CMAKE_CURRENT_BINARY_DIR}/_cyutility.c")
codecarbon_native_options(_cyutility)

function(cython_extension name)
  set(pyx "${CODECARBON_STAGE}/codecarbon/_sensors/${name}.pyx")
  set(c_file "${CMAKE_CURRENT_BINARY_DIR}/${name}.c")
  # Debug (editable installs) runs with every Cython check on; Release with none, so kernels check for themselves.
  set(checks "$<IF:$<CONFIG:Debug>,True,False>")
  add_custom_command(
    OUTPUT "${c_file}" DEPENDS "${pyx}" DEPFILE "${c_file}.dep" VERBATIM
    COMMAND Python::Interpreter -m cython -3 -M -I "${CODECARBON_STAGE}"
            --shared=${CODECARBON_PACKAGE}._cyutility --module-name "${CODECARBON_PACKAGE}.${name}"
            -X boundscheck=${checks} -X wraparound=${checks} -X initializedcheck=${checks}
            -X cdivision=True -X embedsignature=True -X freethreading_compatible=True
            "${pyx}" -o "${c_file}")
  python_add_library(${name} MODULE WITH_SOABI "${c_file}" ${ARGN})
  codecarbon_native_options(${name})
endfunction()
