// SPDX-License-Identifier: Apache-2.0
// Signatures as Unity 2021.3 has them, of what the package uses of the editor and its project; what they do is Project's.
using System;
using System.Linq;
using Segue.Rehearsal;
using UnityEngine;
using Object = UnityEngine.Object;

namespace UnityEditor
{
    public class EditorApplication
    {
        public delegate void CallbackFunction();

        public static CallbackFunction update;
        public static CallbackFunction delayCall;

        public static event Action quitting;

        public static bool isPlaying { get; set; }

        public static double timeSinceStartup => Project.Now;

        internal static void Quit() => quitting?.Invoke();
    }

    public sealed class EditorPrefs
    {
        public static string GetString(string key, string defaultValue) => Project.Kept("prefs " + key, defaultValue);

        public static void SetString(string key, string value) => Project.Keep("prefs " + key, value);
    }

    public static class SessionState
    {
        public static bool GetBool(string key, bool defaultValue) => Project.Kept(key, defaultValue);

        public static void SetBool(string key, bool value) => Project.Keep(key, value);

        public static int GetInt(string key, int defaultValue) => Project.Kept(key, defaultValue);

        public static void SetInt(string key, int value) => Project.Keep(key, value);

        public static void EraseInt(string key) => Project.Keep(key, null);

        public static string GetString(string key, string defaultValue) => Project.Kept(key, defaultValue);

        public static void SetString(string key, string value) => Project.Keep(key, value);
    }

    public class EditorUtility
    {
        public static bool IsPersistent(Object target) => Project.PathOf(target).Length > 0;

        public static string OpenFilePanel(string title, string directory, string extension) => Project.Chosen;

        public static string OpenFilePanelWithFilters(string title, string directory, string[] filters) => filters.Length % 2 == 0
            ? Project.Chosen
            : throw new ArgumentException("expected pairs");

        public static string OpenFolderPanel(string title, string folder, string defaultName) => Project.Chosen;

        public static string SaveFilePanel(string title, string directory, string defaultName, string extension) => Project.Chosen;
    }

    public sealed class Selection
    {
        public static Object[] objects { get; set; } = Array.Empty<Object>();
    }

    public sealed class AssetDatabase
    {
        public static string GetAssetPath(Object assetObject) => Project.PathOf(assetObject);

        public static string[] GetAllAssetPaths() => Project.Paths.ToArray();

        public static void ImportAsset(string path) => Project.Import(path);

        public static void SetImporterOverride<T>(string path)
            where T : AssetImporters.ScriptedImporter => Project.Override(path, typeof(T));
    }

    public class AssetPostprocessor { }

    public class AssetImporter : Object
    {
        public static AssetImporter GetAtPath(string path) => Project.ImporterOf(path);
    }
}

namespace UnityEditor.AssetImporters
{
    public abstract class ScriptedImporter : AssetImporter
    {
        public abstract void OnImportAsset(AssetImportContext ctx);
    }

    [AttributeUsage(AttributeTargets.Class, Inherited = false)]
    public class ScriptedImporterAttribute : Attribute
    {
        public ScriptedImporterAttribute(int version, string ext)
            : this(version, new[] { ext }, null) { }

        public ScriptedImporterAttribute(int version, string[] exts)
            : this(version, exts, null) { }

        public ScriptedImporterAttribute(int version, string[] exts, string[] overrideExts)
        {
            fileExtensions = exts ?? Array.Empty<string>();
            overrideFileExtensions = overrideExts ?? Array.Empty<string>();
        }

        public string[] fileExtensions { get; private set; }

        public string[] overrideFileExtensions { get; private set; }
    }

    public class AssetImportContext
    {
        internal AssetImportContext(string path) => assetPath = path;

        public string assetPath { get; private set; }

        internal Object Main { get; private set; }

        internal Object Added { get; private set; }

        public void AddObjectToAsset(string identifier, Object obj) => Added = obj;

        public void SetMainObject(Object obj) => Main = obj == Added ? obj : throw new InvalidOperationException("expected an object that was added");

        public void LogImportError(string msg, Object obj = null) => Debug.LogError(msg);
    }

    public abstract class AssetImporterEditor : Editor
    {
        protected virtual bool needsApplyRevert => true;
    }

    public class ScriptedImporterEditor : AssetImporterEditor { }
}
