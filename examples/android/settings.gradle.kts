pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "tfelastic-example"

include(":app", ":tfelastic-core", ":tfelastic-android")
project(":tfelastic-core").projectDir = file("../../runtime/kotlin/core")
project(":tfelastic-android").projectDir = file("../../runtime/kotlin/android")
