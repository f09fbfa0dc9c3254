# Man pages out of --help and --version, written when the tree is installed, where help2man is.

include(GNUInstallDirs)
find_program(KRYPTON_HELP2MAN help2man)

# krypton_man_page(TARGET SECTION NAME): what `whatis` says is NAME.
function(krypton_man_page target section name)
  if(NOT KRYPTON_HELP2MAN)
    return()
  endif()
  install(CODE "
    set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man${section}\")
    file(MAKE_DIRECTORY \"\${folder}\")
    execute_process(COMMAND ${KRYPTON_HELP2MAN} --no-info --section=${section} \"--name=${name}\"
      \"--output=\${folder}/${target}.${section}\" \"$<TARGET_FILE:${target}>\" RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR \"help2man ${target} ended with \${status}\")
    endif()")
endfunction()

krypton_man_page(krypton 1 "runs and asks a mesh of AI agents and models")
krypton_man_page(krypton-gateway 8 "carries calls to agents and models")
krypton_man_page(krypton-manager 8 "runs and scales agents and models")
krypton_man_page(krypton-control-plane 8 "answers what runs in a mesh of agents and models")
krypton_man_page(krypton-proxy 8 "stands in front of one replica of an agent or model")
