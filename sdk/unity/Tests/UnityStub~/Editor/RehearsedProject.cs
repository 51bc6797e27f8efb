// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using UnityEditor;
using UnityEditor.AssetImporters;
using Object = UnityEngine.Object;

namespace Segue.Rehearsal
{
    /// <summary>
    /// As much of a project in the editor as its scripts need to be rehearsed: files with importers, preferences, dialogs that are
    /// answered beforehand, windows. Paths are relative to the process's folder, as Unity's are to the project's.
    /// </summary>
    public static class Project
    {
        private static readonly Dictionary<string, object> Values = new Dictionary<string, object>();
        private static readonly Dictionary<string, Type> Overrides = new Dictionary<string, Type>();
        private static readonly Dictionary<string, Object> Mains = new Dictionary<string, Object>();
        private static readonly Stopwatch Watch = Stopwatch.StartNew();
        private static Assembly _scripts;

        /// <summary>Assets, as paths.</summary>
        public static List<string> Paths { get; } = new List<string>();

        /// <summary>Assets that were imported, one after the other.</summary>
        public static List<string> Imported { get; } = new List<string>();

        /// <summary>What the next dialogs answer; empty: cancelled.</summary>
        public static string Chosen { get; set; } = "";

        public static int Repaints { get; internal set; }

        public static double Now => Watch.Elapsed.TotalSeconds;

        /// <summary>Another project: nothing in it. The assembly's importers and postprocessors are its scripts.</summary>
        public static void Begin(Assembly scripts)
        {
            _scripts = scripts;
            Values.Clear();
            Overrides.Clear();
            Mains.Clear();
            Paths.Clear();
            Imported.Clear();
            Chosen = "";
            EditorApplication.isPlaying = false;
            EditorApplication.delayCall = null;
            Selection.objects = Array.Empty<Object>();
        }

        /// <summary>Assemblies were loaded: what is marked for it is called, and then what it has asked for.</summary>
        public static void Load()
        {
            foreach (var method in _scripts.GetTypes().SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)))
                if (method.GetCustomAttribute<InitializeOnLoadMethodAttribute>() != null) method.Invoke(null, null);
            Later();
        }

        /// <summary>What has asked to be called later is.</summary>
        public static void Later()
        {
            var calls = EditorApplication.delayCall;
            EditorApplication.delayCall = null;
            calls?.Invoke();
        }

        /// <summary>Import a file as Unity does: by its importer, and then by the postprocessors. Its main object; null if it has none.</summary>
        public static Object Import(string path)
        {
            if (!Paths.Contains(path)) Paths.Add(path);
            ImportOne(path);
            foreach (var type in _scripts.GetTypes().Where(typeof(AssetPostprocessor).IsAssignableFrom))
            {
                var post = type.GetMethod("OnPostprocessAllAssets", BindingFlags.Static | BindingFlags.NonPublic);
                post?.Invoke(null, new object[] { new[] { path }, new string[0], new string[0], new string[0] });
            }
            return Mains.TryGetValue(path, out var main) ? main : null;
        }

        /// <summary>Open a window, as its menu item does.</summary>
        public static T Open<T>()
            where T : EditorWindow
        {
            var window = (T)Activator.CreateInstance(typeof(T));
            Call(window, "OnEnable");
            return window;
        }

        /// <summary>Call what Unity calls by its name.</summary>
        public static void Call(object on, string name)
        {
            var method = on.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public);
            ((Action)Delegate.CreateDelegate(typeof(Action), on, method))();
        }

        /// <summary>Choose a menu item. Throws if it is not there or greyed out.</summary>
        public static void Menu(string item)
        {
            if (!CanChoose(item)) throw new InvalidOperationException("greyed out: " + item);
            ((Action)Delegate.CreateDelegate(typeof(Action), Items(item, false).Single()))();
        }

        /// <summary>Whether a menu item is not greyed out.</summary>
        public static bool CanChoose(string item) => Items(item, true).All(method => (bool)method.Invoke(null, null));

        public static void Quit() => EditorApplication.Quit();

        internal static T Kept<T>(string key, T absent) => Values.TryGetValue(key, out object found) && found is T kept ? kept : absent;

        internal static void Keep(string key, object value) => Values[key] = value;

        internal static string PathOf(Object asset) => Mains.Where(pair => ReferenceEquals(pair.Value, asset)).Select(pair => pair.Key).FirstOrDefault() ?? "";

        internal static void Override(string path, Type importer)
        {
            if (!Attribute(importer).overrideFileExtensions.Contains(Ending(path))) throw new InvalidOperationException("no candidate for " + path);
            Overrides[path] = importer;
            ImportOne(path);
        }

        internal static AssetImporter ImporterOf(string path)
        {
            if (!Paths.Contains(path)) return null;
            if (Overrides.TryGetValue(path, out var chosen)) return (AssetImporter)Activator.CreateInstance(chosen);
            var own = _scripts.GetTypes().FirstOrDefault(type => Attribute(type) != null && Attribute(type).fileExtensions.Contains(Ending(path)));
            return own == null ? null : (AssetImporter)Activator.CreateInstance(own);
        }

        private static void ImportOne(string path)
        {
            Imported.Add(path);
            Mains.Remove(path);
            if (!(ImporterOf(path) is ScriptedImporter importer)) return;
            var context = new AssetImportContext(path);
            importer.OnImportAsset(context);
            if (context.Main != null) Mains[path] = context.Main;
        }

        private static IEnumerable<MethodInfo> Items(string item, bool validates) => _scripts.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
            .Where(method => method.GetCustomAttributes<MenuItem>().Any(menu => menu.menuItem == item && menu.validate == validates));

        private static ScriptedImporterAttribute Attribute(Type type) => type.GetCustomAttribute<ScriptedImporterAttribute>();

        private static string Ending(string path) => Path.GetExtension(path).TrimStart('.');
    }
}
